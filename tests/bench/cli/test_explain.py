"""`optbench explain`."""

import pytest


@pytest.mark.parametrize("words", [("at_edge",), ("at-edge",), ("edge",), ("At", "Edge")], ids="-".join)
def test_a_word_is_explained_however_it_is_written(optbench, words):
    said = optbench("explain", *words)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("at_edge\n  The hyperparameters whose chosen value")


def test_several_words_are_explained_in_one_go(optbench):
    said = optbench("explain", "gap", "sgd_ratio", "gap")
    assert said.code == 0 and [line for line in said.out.splitlines() if line[:1].strip()] == ["gap", "sgd_ratio"]


def test_without_a_word_all_are_listed(optbench):
    said = optbench("explain")
    assert said.code == 0 and "What is trained\n  problem, optimizer," in said.out
    assert said.out.splitlines()[-1] == "optbench explain WORD says what one of them means."


@pytest.mark.parametrize("words", [("egde",), ("gap", "egde")], ids="-".join)
def test_an_unknown_word_is_refused_with_the_nearest(optbench, words):
    said = optbench("explain", *words)
    assert (said.code, said.out) == (2, "")
    assert said.err == "optbench: unknown word 'egde'; did you mean 'edge', 'ended'? optbench explain lists all words\n"


def test_a_word_like_no_other_is_refused(optbench):
    assert optbench("explain", "zzzz").err == "optbench: unknown word 'zzzz'; optbench explain lists all words\n"


def test_the_page_of_the_documentation_comes_from_the_command(optbench):
    from optbench.glossary.pages import page

    assert optbench("explain", "--format", "github").out == page() + "\n"
    one = optbench("explain", "gap", "--format", "github").out
    assert one.startswith("**`gap`**: ") and one.strip() in page()
