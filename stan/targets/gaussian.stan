// A multivariate normal distribution with a known covariance.
data {
  int<lower=1> N; // dimensions
  vector[N] mu;
  cov_matrix[N] Sigma;
}
transformed data {
  matrix[N, N] L = cholesky_decompose(Sigma);
}
parameters {
  vector[N] x;
}
model {
  x ~ multi_normal_cholesky(mu, L);
}
