// Local linear trend (integrated random walk) of daily temperature. A Kalman filter integrates the states out and a
// simulation smoother draws them back, so that NUTS moves in the noise scales alone.
functions {
  #include state_space.stanfunctions
}
data {
  int<lower=2> T; // days
  int<lower=1, upper=T> N; // observed days
  array[N] int<lower=1, upper=T> day; // which day each observation is of
  vector[N] y; // temperature, degrees Celsius
  int<lower=1, upper=2> S; // kinds of observation noise: 1, or 2 for dry and rainy days
  array[T] int<lower=1, upper=S> noise; // each day's kind
  array[2] int<lower=1> family; // families of the priors on s_mu and on s_y
  array[2] vector[3] args; // and their arguments
  vector[2] mu_1; // mean and sd of the normal prior on the first day's level
  vector[2] slope_1; // mean and sd of the normal prior on the first day's slope
}
transformed data {
  array[T] int index = observation_of_day(T, day);
}
parameters {
  // The likelihood can peak where a scale goes to 0. It depends on the squares of the scales alone, so it is smooth
  // across that edge when each scale is the absolute value of a free parameter; on the log scale it is a ridge
  // without end, on which NUTS diverges.
  vector[S + 1] z;
}
transformed parameters {
  real<lower=0> s_mu = abs(z[1]);
  vector<lower=0>[S] s_y = abs(z[2 : S + 1]);
}
model {
  s_mu ~ scale_prior(family[1], args[1]);
  for (s in 1 : S) {
    s_y[s] ~ scale_prior(family[2], args[2]);
  }
  {
    matrix[T, 7] moments = trend_filter(y, index, noise, s_mu, s_y, mu_1, slope_1);
    y ~ normal(moments[day, 1], sqrt(moments[day, 2]));
  }
}
generated quantities {
  vector[S] signal_share = square(s_mu) / (square(s_mu) + square(s_y));
  vector[T] mu;
  vector[T] slope;
  vector[N] log_lik; // of each observation given those before it
  vector[N] y_rep; // drawn given the observations before it
  {
    matrix[T, 7] moments = trend_filter(y, index, noise, s_mu, s_y, mu_1, slope_1);
    for (n in 1 : N) {
      real scale = sqrt(moments[day[n], 2]);
      log_lik[n] = normal_lpdf(y[n] | moments[day[n], 1], scale);
      y_rep[n] = normal_rng(moments[day[n], 1], scale);
    }
    matrix[T, 2] states = trend_smooth_rng(moments, s_mu);
    mu = states[ : , 1];
    slope = states[ : , 2];
  }
}
