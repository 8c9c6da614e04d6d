// A standard normal number of which it is known that it lies beyond a cutoff.
data {
  real cutoff;
}
parameters {
  real<lower=cutoff> x;
}
model {
  x ~ normal(0, 1) T[cutoff, ];
}
