// A share with a beta prior, known through a count of successes; without any trials it has the prior itself.
data {
  int<lower=0> N; // trials
  int<lower=0, upper=N> y; // successes among them
  real<lower=0> a; // the prior is beta(a, b)
  real<lower=0> b;
}
parameters {
  real<lower=0, upper=1> theta;
}
model {
  theta ~ beta(a, b);
  y ~ binomial(N, theta);
}
