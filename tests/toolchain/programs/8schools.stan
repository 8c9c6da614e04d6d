// Names that are C++'s own, in the data, in the parameters and on the file; and every way for a program to refuse.
data {
  int<lower=0> where;
  real new;
}
transformed data {
  print("transformed data, ", where);
  if (where == 1) reject("refused in transformed data");
}
parameters { real class; }
transformed parameters { real template = 2 * class; }
model {
  class ~ normal(new, 1);
  if (where == 2 && class > 1) reject("refused in the model");
  if (where == 3) print("model, lp ", target());
  if (where == 4) fatal_error("given up in the model");
}
generated quantities {
  array[2] real operator = {1.5, 2.5};
  int namespace = 3;
  if (where == 5) reject("refused in generated quantities");
  if (where == 6 && class > 0) fatal_error("given up in generated quantities");
  if (where == 7) print("generated quantities, ", namespace);
  real delete = normal_rng(0, 1);
}
