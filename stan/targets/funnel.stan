// Neal's funnel (2003), doi:10.1214/aos/1056562461, in its centred form, which no single step size fits.
data {
  int<lower=1> N; // numbers whose common scale is unknown
  real<lower=0> spread; // standard deviation of the log variance
}
parameters {
  real v;
  vector[N] x;
}
model {
  v ~ normal(0, spread);
  x ~ normal(0, exp(v / 2));
}
