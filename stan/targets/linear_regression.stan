// Linear regression with its conjugate prior, normal and inverse gamma; on a constant alone, a normal sample.
data {
  int<lower=1> N; // observations
  int<lower=1> K; // coefficients
  matrix[N, K] X;
  vector[N] y;
  vector[K] centre; // prior means of the coefficients
  vector<lower=0>[K] spread; // and prior standard deviations, in units of the noise's
  real<lower=0> a; // the prior of the noise's variance is inv_gamma(a, b)
  real<lower=0> b;
}
parameters {
  vector[K] beta;
  real<lower=0> sigma2; // variance of the noise
}
model {
  sigma2 ~ inv_gamma(a, b);
  beta ~ normal(centre, spread * sqrt(sigma2));
  y ~ normal(X * beta, sqrt(sigma2));
}
