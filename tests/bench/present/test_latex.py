"""Tables for papers."""

from optbench.present.latex import BOLD_NOTE, format_latex
from optbench.present.table import Table

COLUMNS = ("problem", "optimizer", "test_loss", "test_loss_low", "test_loss_high", "learning_rate")


def table(*rows):
    return Table("t", COLUMNS, rows)


def test_best_of_each_problem_is_bold_with_what_overlaps_it():
    rows = [
        ("bowl", "adam", 0.2, 0.1, 0.3, 1e-4),
        ("bowl", "sgd_momentum", 0.3, 0.25, 0.4, 0.1),
        ("bowl", "lion", 0.9, 0.8, 1.0, 0.1),
        ("hill", "adam", 2e-8, 1e-8, 3e-8, 0.1),
        ("hill", "lion", 2e-3, 1e-3, 3e-3, 0.1),
    ]
    lines = format_latex(table(*rows)).splitlines()
    assert lines[:3] == [BOLD_NOTE, r"\begin{tabular}{lllr}", r"\toprule"]
    assert lines[3] == r"problem & optimizer & test loss & learning rate \\"
    assert r"\textbf{0.20 [0.10, 0.30]}" in lines[5] and r"$1 \times 10^{-4}$" in lines[5]
    assert r"sgd\_momentum & \textbf{0.30" in lines[6] and "textbf" not in lines[7]
    # A little space between problems, and powers of ten as powers.
    assert lines[8] == r"\addlinespace"
    assert r"\textbf{$2 \times 10^{-8}$ [$1 \times 10^{-8}$, $3 \times 10^{-8}$]}" in lines[9]
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]


def test_of_an_accuracy_more_is_better_and_nothing_alone_is_bold():
    columns = ("optimizer", "test_accuracy", "test_accuracy_low", "test_accuracy_high")
    lines = format_latex(Table("", columns, (("a", 0.5, 0.4, 0.6), ("b", 0.9, 0.8, 0.95)))).splitlines()
    assert lines[5].startswith("a & 0.5") and lines[6].startswith(r"b & \textbf{0.9")
    assert "textbf" not in format_latex(Table("", columns, (("a", 0.5, 0.4, 0.6),)))


def test_marks_are_escaped_beside_a_power():
    text = format_latex(Table("", ("a",), (("sgd_momentum[eps=1e-8]",),)))
    assert r"sgd\_momentum[eps=$1 \times 10^{-8}$]" in text


def test_marks_of_latex_are_escaped():
    assert r"5\% \& \#1 \textbackslash{}x" in format_latex(Table("", ("a",), (("5% & #1 \\x",),)))
