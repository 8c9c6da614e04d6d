// Runs the filters and smoothers of state_space.stanfunctions at scales given as data.
functions {
  #include state_space.stanfunctions
}
data {
  int T;
  int N;
  array[N] int day;
  vector[N] y;
  int S;
  array[T] int noise;
  real s_mu;
  vector[S] s_y;
  vector[2] mu_1;
  vector[2] slope_1;
}
transformed data {
  array[T] int index = observation_of_day(T, day);
  matrix[T, 4] level = level_filter(y, index, noise, s_mu, s_y, mu_1);
  matrix[T, 7] trend = trend_filter(y, index, noise, s_mu, s_y, mu_1, slope_1);
}
generated quantities {
  vector[N] level_log_lik;
  vector[N] trend_log_lik;
  vector[T] level_mu = level_smooth_rng(level, s_mu);
  matrix[T, 2] trend_states = trend_smooth_rng(trend, s_mu);
  vector[T] filtered_mu; // not smoothed: the tests must see the difference
  for (n in 1 : N) {
    level_log_lik[n] = normal_lpdf(y[n] | level[day[n], 1], sqrt(level[day[n], 2]));
    trend_log_lik[n] = normal_lpdf(y[n] | trend[day[n], 1], sqrt(trend[day[n], 2]));
  }
  for (t in 1 : T) {
    filtered_mu[t] = normal_rng(level[t, 3], sqrt(level[t, 4]));
  }
}
