// Local linear trend (integrated random walk) of daily temperature, with every latent state a parameter.
// On years of days NUTS does not converge on this form: it shows why weather_trend.stan integrates the states out.
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
  real<lower=0> s_mu;
  vector<lower=0>[S] s_y;
  vector[T] mu;
}
model {
  s_mu ~ scale_prior(family[1], args[1]);
  for (s in 1 : S) {
    s_y[s] ~ scale_prior(family[2], args[2]);
  }
  mu[1] ~ normal(mu_1[1], mu_1[2]);
  mu[2] ~ normal(mu[1] + slope_1[1], slope_1[2]);
  mu[3 : T] ~ normal(2 * mu[2 : T - 1] - mu[1 : T - 2], s_mu);
  y ~ normal(mu[day], s_y[noise[day]]);
}
generated quantities {
  vector[S] signal_share = square(s_mu) / (square(s_mu) + square(s_y));
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
  }
  slope[1 : T - 1] = mu[2 : T] - mu[1 : T - 1];
  slope[T] = normal_rng(slope[T - 1], s_mu);
}
