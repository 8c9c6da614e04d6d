// Twisted normal distribution of Haario, Saksman and Tamminen (1999), doi:10.1007/s001800050022, in two dimensions.
data {
  real<lower=0> spread; // standard deviation of x[1]
  real twist;
}
parameters {
  vector[2] x;
}
model {
  x[1] ~ normal(0, spread);
  x[2] ~ normal(twist * (square(spread) - square(x[1])), 1);
}
