// A Gaussian mixture with its assignments summed out: covariances of four forms, Dirichlet or Dirichlet-process weights.
//
// p(y[n]) = sum over k of weights[k] * normal(observed part of y[n] | component k)
//
// Points come sorted into kinds of which the same columns are observed: a part of a normal vector is normal, so that
// what is missing is integrated out exactly. Labels are free to switch; they are told apart after sampling.
// Stick-breaking: Ishwaran and James (2001), doi:10.1198/016214501750332758.
functions {
  // Log density of a vector's entries, each under the same prior, by the number of its family.
  real each_prior_lpdf(vector x, int family, vector args) {
    if (family == 4) {
      return lognormal_lpdf(x | args[1], args[2]);
    } else if (family == 5) {
      return gamma_lpdf(x | args[1], args[2]);
    } else if (family == 6) {
      return inv_gamma_lpdf(x | args[1], args[2]);
    }
    reject("unknown family of prior: ", family);
  }

  // Row k: log(weights[k]) + log normal(y[n] | component k) of every point, given as columns below which stands a row of
  // ones. The points are data, so that whitening them is one product of matrices.
  matrix log_joint(matrix y_and_ones, vector log_weights, matrix means, array[] matrix cholesky) {
    int K = rows(log_weights);
    int D = cols(means);
    matrix[K, cols(y_and_ones)] terms;
    for (k in 1 : K) {
      matrix[D, D] whiten = mdivide_left_tri_low(cholesky[k], identity_matrix(D));
      matrix[D, D + 1] whiten_and_centre = append_col(whiten, -whiten * means[k]');
      real constant = log_weights[k] + sum(log(diagonal(whiten))) - 0.5 * D * log(2 * pi());
      terms[k] = constant - 0.5 * columns_dot_self(whiten_and_centre * y_and_ones);
    }
    return terms;
  }
}
data {
  int<lower=1> K; // components
  int<lower=1> D; // columns
  int<lower=0> N; // points with a coordinate observed
  int<lower=0> P; // kinds of points
  matrix[D, N] y; // one point a column, kind by kind, 0 where missing
  array[P] int<lower=1> first; // of a kind's points
  array[P] int<lower=0> last;
  array[P] int<lower=1, upper=D> n_observed; // columns of a kind
  array[P, D] int<lower=0, upper=D> observed; // which columns they are, then 0
  int<lower=1, upper=4> form; // full, tied, diagonal, spherical
  int<lower=0, upper=1> dp;
  real<lower=0> weights_concentration; // of the Dirichlet prior; unused if dp
  int concentration_family; // by number, as in each_prior; unused unless dp
  vector[2] concentration_args;
  vector[2] means_args; // mean and standard deviation
  int scales_family;
  vector[2] scales_args;
  real<lower=0> correlations_shape;
}
transformed data {
  int n_matrices = D == 1 || form > 2 ? 0 : (form == 2 ? 1 : K);
  int scale_rows = form == 2 ? 1 : K;
  int scale_cols = form == 4 ? 1 : D;
  matrix[D + 1, N] y_and_ones = append_row(y, rep_row_vector(1, N));
}
parameters {
  array[dp] real<lower=0> concentration;
  vector<lower=0, upper=1>[dp ? K - 1 : 0] sticks;
  array[1 - dp] simplex[K] shares; // the weights, unless dp
  matrix[K, D] means;
  matrix<lower=0>[scale_rows, scale_cols] scales;
  array[n_matrices] cholesky_factor_corr[D] corr_cholesky;
}
transformed parameters {
  vector[K] log_weights;
  vector[K] weights;
  if (dp) {
    log_weights = append_row(log(sticks), 0) + append_row(0, cumulative_sum(log1m(sticks)));
    weights = exp(log_weights);
  } else {
    weights = shares[1];
    log_weights = log(weights);
  }
}
model {
  array[K] matrix[D, D] cholesky;
  for (k in 1 : K) {
    row_vector[D] sd = form == 4 ? rep_row_vector(scales[k, 1], D) : scales[min(k, scale_rows)];
    cholesky[k] = n_matrices == 0 ? diag_matrix(sd') : diag_pre_multiply(sd, corr_cholesky[min(k, n_matrices)]);
  }
  for (p in 1 : P) {
    int n_rows = n_observed[p];
    array[n_rows] int at = observed[p, 1 : n_rows];
    array[n_rows + 1] int at_and_ones = append_array(at, {D + 1});
    array[K] matrix[n_rows, n_rows] part;
    for (k in 1 : K) {
      part[k] = n_rows == D ? cholesky[k] : cholesky_decompose(tcrossprod(cholesky[k][at]));
    }
    matrix[K, last[p] - first[p] + 1] terms = log_joint(y_and_ones[at_and_ones, first[p] : last[p]], log_weights,
                                                        means[ : , at], part);
    for (n in 1 : cols(terms)) {
      target += log_sum_exp(terms[ : , n]);
    }
  }
  if (dp) {
    target += each_prior_lpdf(to_vector(concentration) | concentration_family, concentration_args);
    target += beta_lpdf(sticks | 1, concentration[1]);
  } else {
    target += dirichlet_lpdf(shares[1] | rep_vector(weights_concentration, K));
  }
  target += normal_lpdf(to_vector(means) | means_args[1], means_args[2]);
  target += each_prior_lpdf(to_vector(scales) | scales_family, scales_args);
  for (matrix_number in 1 : n_matrices) {
    target += lkj_corr_cholesky_lpdf(corr_cholesky[matrix_number] | correlations_shape);
  }
}
