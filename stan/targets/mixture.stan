// A number from one of several normal distributions, nobody knows which.
data {
  int<lower=1> K; // components
  simplex[K] weight;
  vector[K] centre; // their means
  vector<lower=0>[K] spread; // and standard deviations
}
parameters {
  real x;
}
model {
  vector[K] lp = log(weight);
  for (k in 1 : K) {
    lp[k] += normal_lpdf(x | centre[k], spread[k]);
  }
  target += log_sum_exp(lp);
}
