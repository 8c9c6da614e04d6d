"""The scripts that repeat what was asked for, with places for its own words."""

DATA_AND_MODEL = """# Read and check the file; print(data) shows what was found.
data = {load}

# The model: its structure and its priors; print(model.priors) shows the scales that were computed from the data.
model = {build}
"""

PROGRAM = """# Read the program, with what it includes, and check its data; it is compiled when it is first fitted.
model = {build}
"""

PYRO = """# Read the program; each of its arguments is the column of that name, as a tensor.
model = {build}
"""

DENSITY = """# The log density to draw from; print(model.card()) shows what the report says of it.
model = {build}
"""

SCRIPT = """# The same as: {command}

import bayeskit as bk

{model}
# Draw from the posterior; fit.posterior is an xarray DataTree, ready for ArviZ.
fit = bk.fit(
    model,
{engine}    config={config},
    seed={seed},
)

# Is it to be believed? Each check has a number, a limit and a remedy.
assessment = bk.assess(fit)
print(assessment)

# Keep everything: run.json, posterior.nc, summary.csv and report.html. To overwrite replaces an earlier run there.
bk.save_run(fit, assessment, {out!r}, overwrite={overwrite})
{strict}"""

STRICT = """
# Tell the shell where a check failed.
raise SystemExit(0 if assessment.passed else 3)
"""


CALIBRATION = """# The same as: {command}

import bayeskit as bk


def main() -> None:
{model}
    # Simulate a truth and data, fit, and see where the truth lies among the draws; one that was stopped goes on.
    calibration = bk.calibrate(
        model,{simulator}
        simulations={simulations},
        config={config},
        seed={seed},
        posterior={posterior},
        out={out!r},
    )
    print(calibration)


# The simulations run in processes of their own, which read this file again.
if __name__ == "__main__":
    main()
"""
