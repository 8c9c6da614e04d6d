// Every solver, on a problem whose solution is known: exp(-k) for the equations of decay, exp(k / 2) for the root,
// and their derivatives with respect to k through each solver's own sensitivity equations.
functions {
  vector decay(real t, vector y, real k) { return -k * y; }
  array[] real old_decay(real t, array[] real y, array[] real k, data array[] real x_r, data array[] int x_i) {
    return {-k[1] * y[1]};
  }
  vector residual(real t, vector y, vector change, real k) { return change + k * y; }
  vector square_minus(vector x, real a) { return square(x) - a; }
  real density(real x, real xc, array[] real k, data array[] real x_r, data array[] int x_i) {
    return k[1] * exp(-k[1] * x);
  }
  real solve(int solver, real k, data array[] real t, data array[] real x_r, data array[] int x_i) {
    vector[1] one = [1]';
    if (solver == 1) return ode_rk45_tol(decay, one, 0, t, 1e-10, 1e-10, 100000, k)[1, 1];
    if (solver == 2) return ode_ckrk_tol(decay, one, 0, t, 1e-10, 1e-10, 100000, k)[1, 1];
    if (solver == 3) return ode_bdf_tol(decay, one, 0, t, 1e-10, 1e-10, 100000, k)[1, 1];
    if (solver == 4) return ode_adams_tol(decay, one, 0, t, 1e-10, 1e-10, 100000, k)[1, 1];
    if (solver == 5)
      return ode_adjoint_tol_ctl(decay, one, 0, t, 1e-10, rep_vector(1e-10, 1), 1e-10, rep_vector(1e-10, 1), 1e-10,
                                 1e-10, 100000, 100, 1, 2, 2, k)[1, 1];
    if (solver == 6) return dae_tol(residual, one, [-k]', 0, t, 1e-10, 1e-10, 100000, k)[1, 1];
    // deprecated, so that stanc has something to warn of
    if (solver == 7) return integrate_ode_rk45(old_decay, {1}, 0, t, {k}, x_r, x_i, 1e-10, 1e-10, 100000)[1, 1];
    if (solver == 8) return 1 - integrate_1d(density, 0, 1, {k}, x_r, x_i, 1e-10);
    if (solver == 9) return solve_newton_tol(square_minus, one, 1e-10, 1e-10, 1000, exp(k))[1];
    return solve_powell_tol(square_minus, one, 1e-10, 1e-10, 1000, exp(k))[1];
  }
}
data { int solver; }
transformed data {
  array[0] real x_r;
  array[0] int x_i;
}
parameters { real k; }
transformed parameters {
  real solution;
  profile("solving") { solution = solve(solver, k, {1.0}, x_r, x_i); }
}
model {
  k ~ normal(0, 1);
  2 ~ normal(solution, 1);
}
generated quantities {
  profile("copying") { real copy = solution; }
}
