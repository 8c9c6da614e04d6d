// A sum in parallel, with functions from an included file whose bodies are in a C++ header.
functions {
  #include shared.stanfunctions
  real part(array[] real x, int first, int last, real mu) { return normal_lpdf(x | mu, see_thread(1.0)); }
}
data {
  int N;
  array[N] real x;
  int grainsize;
  int dynamic;
}
parameters { real mu; }
model {
  mu ~ normal(0, 1);
  target += dynamic ? reduce_sum(part, x, grainsize, mu) : reduce_sum_static(part, x, grainsize, mu);
}
generated quantities { real threads = threads_seen(); }
