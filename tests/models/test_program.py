"""A Stan program and its JSON data, from the files to the groups of the posterior; nothing is compiled."""

import json

import numpy as np
import pytest

import bayeskit as bk
from bayeskit.core.types import Draws
from bayeskit.posterior import to_datatree

PROGRAM = """data {
  int<lower=0> N;      // number of days
  vector[N] y;  // what was measured
}
parameters {
  real mu;             // the mean, in metres
  real<lower=0> sigma, tau;  // two at once
}
transformed parameters {
  array[2] real<lower=0, upper=N> both = {1, 2}; // with a value
}
model { real local = 3; y ~ normal(mu, sigma); }
"""


@pytest.fixture
def write(tmp_path):
    def write(text="parameters { real x; } model { x ~ normal(0, 1); }", data=None, name="p.stan"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if data is None:
            return path, None
        content = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
        (tmp_path / "d.json").write_bytes(content)
        return path, tmp_path / "d.json"

    return write


def draws_of(**shapes):
    values = {name.replace("__", "."): np.zeros((2, 3, *shape)) for name, shape in shapes.items()}
    return Draws("mcmc", values, declared=dict.fromkeys(values, "parameter"))


def test_program_and_data_are_kept_as_read(write):
    program, data = write(PROGRAM, {"N": 2, "y": [1.5, 2]})
    model = bk.stan_program(program, data)
    assert model.name == "p"
    assert model.text == PROGRAM
    assert model.program == str(program)
    assert model.stan_data() == {"N": 2, "y": [1.5, 2]}
    assert model.source.description == "N = 2, y[2]"
    assert model.source.variables == {"N": "2: number of days", "y": "2 numbers: what was measured"}
    assert len(model.source.sha256) == 64
    assert bk.stan_program(program).stan_data() == {}


def test_includes_stand_in_their_places_and_are_named(write, tmp_path):
    write("real g(real a) { return a; }\n", name="lib/g.stanfunctions")
    write("#include <lib/g.stanfunctions>\nreal f(real a) { return g(a); }\n", name="f.stan")
    program, _ = write('functions {\n  #include "f.stan"\n#include nowhere.stan\n}\n// #include f.stan\n')
    assert bk.stan_program(program).text == (
        "functions {\n  // from f.stan\n// from lib/g.stanfunctions\nreal g(real a) { return a; }\n"
        "// end of lib/g.stanfunctions\nreal f(real a) { return g(a); }\n  // end of f.stan\n"
        "#include nowhere.stan\n}\n// #include f.stan\n"
    )


def test_an_include_of_itself_ends(write):
    program, _ = write("#include p.stan\n")
    assert bk.stan_program(program).text == "#include p.stan\n"


@pytest.mark.parametrize("changed", ["p.stan", "f.stan"])
def test_what_changed_since_is_not_run(write, changed):
    write("real f() { return 1; }\n", name="f.stan")
    program, _ = write("functions {\n#include f.stan\n}\n")
    model = bk.stan_program(program)
    assert model.program
    before = model.sha256
    (program.parent / changed).write_text("// another\n")
    with pytest.raises(bk.ProgramError, match="was changed since it was read"):
        _ = model.program
    assert bk.stan_program(program).sha256 != before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"N": 3,\n "y": [1, 2,, 3]}', r"is no valid JSON: expecting value at line 2, column 13; correct it"),
        ('{"N": 3', r"line 1, column 8"),
        ("", r"line 1, column 1"),
        ("N <- 3\n", r"line 1, column 1; .*write_stan_json"),
        ("[1, 2]", r"must hold one object"),
        ('{"N": 3, "N": 4}', r"'N' is given twice"),
        (b'{"N": 3,\n"y": "\xff"}', r"line 2 is not UTF-8"),
        ({"y": [1, None]}, r"y\[2\] is null.*no missing values"),
        ({"y": [[1, 2], [3, True]]}, r"y\[2,2\] is true.*write 1"),
        ({"y": ["red"]}, r"y\[1\] is the text 'red'"),
        ({"y": [[1, 2], [3]]}, r"y is not rectangular: element 1 has size 2, element 2 has size 1"),
        ({"y": [1, [2]]}, r"y is not rectangular: element 1 has one number, element 2 has size 1"),
        ({"y": {"a": 1}}, r"y is an object.*tuple"),
        ({"y": {"1": 1, "2": [1, None]}}, r"y\.2\[2\] is null"),
        ('{"N": ' + "9" * 5000 + "}", r"write_stan_json"),
        ("[" * 100_000, r"nested too deeply|no valid JSON"),
    ],
)
def test_bad_data_are_named_with_their_place(write, content, said):
    program, data = write(data=content)
    with pytest.raises(bk.DataError, match=said) as caught:
        bk.stan_program(program, data)
    assert "\n" not in str(caught.value)
    assert str(data) in str(caught.value)


def test_good_data_are_taken(write):
    good = b'\xef\xbb\xbf{"a": [NaN, "Inf", -1e3], "t": {"1": 2, "2": [[1, 2]]}, "ts": [{"1": 1}], "e": [], "z": [[]]}'
    model = bk.stan_program(*write(data=good))
    assert model.source.description == "a[3], t, ts[1], e[0], z[1,0]"
    assert set(model.source.variables.values()) == {"3 numbers", "tuple of 2", "1 tuples", "0 numbers", "1 x 0 numbers"}
    groups = model.groups({"x": np.zeros((1, 1))})
    np.testing.assert_array_equal(groups["constant_data"]["a"], [np.nan, np.inf, -1000])
    assert set(groups["constant_data"]) == {"a"}


def test_missing_files_are_named(write, tmp_path):
    with pytest.raises(bk.ConfigError, match=r"cannot read the Stan program .*none\.stan: No such file"):
        bk.stan_program(tmp_path / "none.stan")
    with pytest.raises(bk.DataError, match=r"cannot read the data .*none\.json: No such file"):
        bk.stan_program(write()[0], tmp_path / "none.json")
    with pytest.raises(bk.ConfigError, match="must be the path of a JSON file, so that the run can be repeated"):
        bk.stan_program(write()[0], {"N": 3})


@pytest.mark.parametrize(("given", "read"), [(None, None), (0.5, 0.5), ("0", 0.0), ("file", {"x": 1.5})])
def test_start_values(write, tmp_path, given, read):
    (tmp_path / "start.json").write_text('{"x": 1.5}')
    model = bk.stan_program(write()[0], init=str(tmp_path / "start.json") if given == "file" else given)
    assert model.stan_inits(np.random.default_rng(1)) == read


@pytest.mark.parametrize("init", [-1, float("nan"), "inf"])
def test_start_values_that_make_no_sense(write, init):
    with pytest.raises(bk.ConfigError, match="init must be"):
        bk.stan_program(write()[0], init=init)


DATA = {"N": 3, "y": [1, 2, 3], "x": [4, 5, 6]}


@pytest.mark.parametrize(
    ("given", "shapes", "groups"),
    [
        (DATA, {"mu": ()}, {"posterior": {"mu"}, "constant_data": {"N", "y", "x"}}),
        (
            DATA,
            {"mu": (), "y_rep": (3,), "log_lik": (3,)},
            {
                "posterior": {"mu"},
                "posterior_predictive": {"y"},
                "observed_data": {"y"},
                "log_likelihood": {"y"},
                "constant_data": {"N", "x"},
            },
        ),
        # Another size is another thing.
        (DATA, {"mu": (), "y_rep": (4,)}, {"posterior": {"mu", "y_rep"}, "constant_data": {"N", "y", "x"}}),
        (
            DATA,
            {"mu": (), "y_rep": (3,), "log_lik": (2,)},
            {
                "posterior": {"mu"},
                "posterior_predictive": {"y"},
                "observed_data": {"y"},
                "log_likelihood": {"log_lik"},
                "constant_data": {"N", "x"},
            },
        ),
        # The likelier of two, and a mean is no replication.
        (
            DATA,
            {"y_pred": (3,), "y_rep": (3,), "y_hat": (3,)},
            {
                "posterior": {"y_pred", "y_hat"},
                "posterior_predictive": {"y"},
                "observed_data": {"y"},
                "constant_data": {"N", "x"},
            },
        ),
        # A forecast, though there are as many new days as old ones.
        (
            {**DATA, "x_tilde": [7, 8, 9]},
            {"mu": (), "y_tilde": (3,)},
            {"posterior": {"mu", "y_tilde"}, "constant_data": {"N", "y", "x", "x_tilde"}},
        ),
        (
            {**DATA, "x_new": [7, 8, 9]},
            {"mu": (), "y_pred": (3,)},
            {"posterior": {"mu", "y_pred"}, "constant_data": {"N", "y", "x", "x_new"}},
        ),
        # One number cannot be held against one number.
        ({"y": 7}, {"mu": (), "y_rep": ()}, {"posterior": {"mu", "y_rep"}, "constant_data": {"y"}}),
        # What the program does not declare, and has no place among its draws: their own names, and no names.
        ({"y": 7, "mu": [0.3, 0.4], "a/b": 1, "": 2}, {"mu": ()}, {"posterior": {"mu"}, "constant_data": {"y"}}),
        # The log prior, whole or in parts; by another name it is a quantity like any other.
        (
            {},
            {"mu": (), "lprior": (2,), "lprior_mu": (), "log_lik": (3,)},
            {"posterior": {"mu", "lprior_mu"}, "log_prior": {"lprior"}, "log_likelihood": {"log_lik"}},
        ),
        # Something must be left to look at.
        (DATA, {"y_rep": (3,)}, {"posterior": {"y_rep"}, "constant_data": {"N", "y", "x"}}),
        ({}, {"log_lik": (2,), "lprior": ()}, {"posterior": {"log_lik", "lprior"}}),
    ],
)
def test_draws_are_sorted_by_stan_s_conventions(write, given, shapes, groups):
    model = bk.stan_program(*write(data=given))
    found = model.groups(draws_of(**shapes).values)
    assert {name: set(group) for name, group in found.items()} == groups


def test_card_says_what_the_comments_say(write):
    model = bk.stan_program(*write(PROGRAM, {"N": 0, "y": []}))
    draws = draws_of(mu=(), sigma=(), tau=(), both=(2,))
    meanings = {quantity.name: quantity.meaning for quantity in model.card(draws).quantities}
    assert meanings == {"mu": "the mean, in metres", "both": "with a value"}
    assert model.card(draws).program == PROGRAM
    assert model.card(draws).notes == ()
    assert model.card().series is None


def test_card_reads_the_comment_behind_a_declaration_that_opens_its_block(write):
    model = bk.stan_program(*write("parameters { real mu;  // the mean\n real a; real b; // two\n}"))
    found = model.card(draws_of(mu=(), a=(), b=())).quantities
    assert [(one.name, one.meaning) for one in found] == [("mu", "the mean")]


def test_card_notes_what_became_of_the_draws(write):
    model = bk.stan_program(*write(data=DATA))
    draws = draws_of(mu=(), y_rep=(3,), log_lik=(3,), t__1=(), z__real=())
    declared = dict.fromkeys(["mu", "none", "t", "z", "y_rep", "log_lik"], "generated quantity")
    notes = model.card(Draws("iid", draws.values, declared=declared)).notes
    assert notes[0] == "y_rep is taken for replications of y."
    assert notes[1] == "log_lik is taken for the log likelihood of each observation."
    assert notes[2].startswith("none has no elements")
    assert "t.1, t.2" in notes[3]
    assert "no parameters to sample" in notes[4]


def test_card_notes_what_is_taken_for_the_log_prior(write):
    notes = bk.stan_program(*write(data={})).card(draws_of(mu=(), lprior=())).notes
    assert notes == ("lprior is taken for the log density of all priors.",)


def test_no_variable_is_lost_to_a_dimension_of_its_name(write):
    model = bk.stan_program(*write(data={}))
    draws = draws_of(draw=(), draw_=(), chain=(2,), x=())
    assert set(model.groups(draws.values)["posterior"]) == {"draw__", "draw_", "chain_", "x"}
    assert "draw stands as draw__: the word is taken for a dimension." in model.card(draws).notes
    posterior = to_datatree(draws, model, seed=1)["posterior"]
    assert set(posterior.data_vars) == {"draw__", "draw_", "chain_", "x"}
    assert list(posterior["chain__dim_0"].values) == [1, 2]


def test_card_notes_that_all_chains_start_alike(write, tmp_path):
    (tmp_path / "start.json").write_text('{"x": 0.5}')
    draws = draws_of(x=())
    for init, kind, noted in ((tmp_path / "start.json", "mcmc", True), (2, "mcmc", False)):
        model = bk.stan_program(*write(data=DATA), init=init)
        assert any("--init" in note for note in model.card(Draws(kind, draws.values)).notes) == noted


def test_a_program_without_data_says_so_once(write):
    source = bk.stan_program(write()[0]).source
    assert (source.path, source.description) == ("", "A program without data")


def test_what_stands_in_a_comment_is_no_declaration(write):
    text = "parameters { // here\nreal x; // the truth\n/* real x; // a lie\n real x; // another */\n}"
    [quantity] = bk.stan_program(write(text)[0]).card(draws_of(x=())).quantities
    assert quantity.meaning == "the truth"
