"""Texts remember what they were made from, and the Japanese catalogue has them all."""

import dataclasses
import json
import pickle
from importlib.resources import files

import pytest
from babel.messages.catalog import Catalog
from core import messages

from bayeskit.core.errors import ConfigError
from bayeskit.core.language import (
    Text,
    catalogue,
    from_record,
    known,
    languages,
    said,
    say,
    say_count,
    speaking,
    spoken,
    to_record,
)
from bayeskit.core.records import plain
from bayeskit.core.words import count, joined, listing, sentence


@pytest.fixture(scope="module")
def found():
    return messages.in_package()


def catalogue_of(entries: dict, **more) -> Catalog:
    made = Catalog(locale="ja")
    for id_, text in entries.items():
        made.add(id_, text, **more)
    return made


def test_the_japanese_catalogue_is_complete(found):
    faults = messages.faults(found, messages.read("ja"))
    assert not faults, "\n" + "\n".join(faults)


def test_nothing_is_missed_by_looking_in_too_few_places(found):
    places = {place.rpartition(":")[0] for where in found.messages.values() for place in where}
    assert {"bayeskit/models/_weather_card.py", "bayeskit/reporting/templates/report.html"} <= places
    assert len(found.messages) > 500


def test_a_message_that_is_taken_out_is_reported_ready_to_be_pasted(found):
    broken = messages.read("ja")
    gone = next(message for message in found.messages if message.singular.startswith("chains disagree"))
    broken.delete(gone.singular)
    entry = f'msgid "{gone.singular}"\nmsgstr ""'
    assert entry in "\n".join(messages.faults(found, broken))
    assert entry not in "\n".join(messages.faults(found, messages.read("ja")))


SOURCE = """
say("{n} of {m}", n=1, m=2)
say_count(3, "{n} run failed", "{n} runs failed")
count(4, "day")
NAMES = {"a": mark("a name")}
say("one" if x else "other")
"""
TEMPLATE = b"""<p title="{{ say("a title") }}">{{ say("{a} and {b}", a=1, b=x) }}</p>
{{ say_count(n, "{n} page", "{n} pages") }}"""
JAPANESE = {
    "{n} of {m}": "{m}のうち{n}",
    ("{n} run failed", "{n} runs failed"): ("{n}件失敗",),
    ("{n} day", "{n} days"): ("{n}日",),
    "a name": "名前",
    "one": "一つ",
    "other": "他",
}


def test_every_way_of_making_a_text_is_found():
    assert set(messages.in_python(SOURCE, "x.py").messages) == {
        messages.Message(*(id_ if isinstance(id_, tuple) else (id_,))) for id_ in JAPANESE
    }
    assert set(messages.in_template(TEMPLATE, "x.html").messages) == {
        messages.Message("a title"),
        messages.Message("{a} and {b}"),
        messages.Message("{n} page", "{n} pages"),
    }


def test_a_sound_catalogue_has_no_faults():
    assert messages.faults(messages.in_python(SOURCE, "x.py"), catalogue_of(JAPANESE)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"a name": ""}, "not translated"),
        ({("{n} day", "{n} days"): ("",)}, "not translated"),
        ({"{n} of {m}": "{n}のうち"}, "other names in braces"),
        ({"{n} of {m}": "{m}のうち{n}{o}"}, "other names in braces"),
        ({"never said": "言わない"}, "said nowhere"),
    ],
)
def test_each_fault_of_a_catalogue_is_found(change, fault):
    told = messages.faults(messages.in_python(SOURCE, "x.py"), catalogue_of(JAPANESE | change))
    assert len(told) == 1
    assert told[0].startswith(fault)


def test_a_fuzzy_entry_is_found():
    fuzzy = catalogue_of(JAPANESE)
    fuzzy["one"].flags.add("fuzzy")
    assert messages.faults(messages.in_python(SOURCE, "x.py"), fuzzy) == ["fuzzy: 'one'"]


@pytest.mark.parametrize("call", ['say(f"{n} runs")', 'mark("so " + many)', 'say_count(n, f"{n} run", "runs")'])
def test_a_text_that_is_put_together_before_it_is_said_is_found(call):
    assert messages.in_python(call, "x.py").glued == ["x.py:1"]


def test_the_catalogue_ships_with_the_package():
    assert files("bayeskit").joinpath("locale/ja/LC_MESSAGES/bayeskit.po").is_file()
    assert languages() == ("en", "ja")


def test_a_text_is_said_again_with_the_texts_inside_it():
    where = say("{items} and {last}", items="mu[1]", last="{s_y}")
    text = say("worst: {quantity}, of {n} quantities", quantity=where, n="3")
    assert text == "worst: mu[1] and {s_y}, of 3 quantities"
    with speaking("ja"):
        assert said(text) == "最悪：mu[1]、{s_y}（3個の量のうち）"
        assert spoken() == "ja"
    assert said(text) == text
    assert spoken() == "en"


def test_counts_follow_each_language():
    assert [count(n, "day") for n in (1, 1461)] == ["1 day", "1,461 days"]
    with speaking("ja"):
        assert [said(text) for text in (count(1, "day"), say_count(2, "{n} day", "{n} days"))] == ["1日", "2日"]


def test_what_was_marked_is_translated_without_a_template():
    with speaking("ja"):
        assert said("run longer (--draws)") == "より長く実行してください（--draws）"
        assert said("a comment of the user's") == "a comment of the user's"
        assert said("") == ""


def test_a_sentence_is_said_again_though_it_begins_with_a_capital():
    text = sentence(say("run longer (--draws)"))
    assert text == "Run longer (--draws)."
    with speaking("ja"):
        assert said(text) == "より長く実行してください（--draws）。"
        assert said(from_record(json.loads(json.dumps(plain(text))))) == said(text)


def test_names_among_the_values_are_not_translated():
    """A quantity may be called what a message says."""
    with speaking("ja"):
        assert say("mean") != "mean"
        text = say("worst: {quantity}, of {n} quantities", quantity="mean", n="3")
        for kept in (said(text), said(from_record(json.loads(json.dumps(plain(text)))))):
            assert "mean" in kept
            assert "worst" not in kept


def test_nothing_is_said_in_no_words():
    with speaking("ja"):
        assert say("") == said(say("")) == ""


@pytest.mark.parametrize("template", ["{a.__class__}", "{a[0]}", "{a:>9999999999}", "{0}", "{a!r}", "{", "}"])
def test_templates_from_files_can_do_no_more_than_hold_values(template):
    assert from_record({"say": template, "with": {"a": "x"}}) == template


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(KeyError):
        say("{a} and {b}", a=1)


def test_a_name_inside_a_sentence_loses_its_capital_where_it_is_a_word():
    told = [say("{name:inside}", name=say(name)) for name in ("Bulk effective sample size", "R-hat", "E-BFMI")]
    assert told == ["bulk effective sample size", "R-hat", "E-BFMI"]


def test_words_join_as_each_language_does():
    assert joined([sentence("mu moves"), "It ends."]) == "Mu moves. It ends."
    with speaking("ja"):
        assert joined([sentence("動きます"), "終わりです。"]) == "動きます。終わりです。"
        assert listing(["a", "b", "c"]) == "a、b、c"


def test_a_text_survives_being_copied_pickled_and_written():
    @dataclasses.dataclass
    class Holder:
        text: str

    text = say_count(2, "{n} run failed in {where}", "{n} runs failed in {where}", where=say("the first {n}", n=1))
    for copy in (
        dataclasses.asdict(Holder(text))["text"],
        pickle.loads(pickle.dumps(text)),
        from_record(json.loads(json.dumps(to_record(text), default=str))),
    ):
        assert isinstance(copy, Text)
        assert (copy, copy.template, copy.plural, copy.number) == (text, text.template, text.plural, 2)


def test_an_unknown_language_is_refused_with_those_there_are():
    for refuse in (known, lambda language: speaking(language).__enter__()):
        with pytest.raises(ConfigError, match="'tlh'; choose from en, ja"):
            refuse("tlh")


def test_english_has_no_catalogue():
    assert catalogue("en").gettext("Verdict") == "Verdict"
