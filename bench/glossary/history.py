"""Words of `optbench history`: results over time."""

from optbench.glossary.entry import Entry

_SHOW, _LIST, _BACKFILL = ("history show",), ("history list",), ("history backfill",)
_CHANGES = ("history compare", "history check")

ENTRIES = (
    Entry(
        "entry",
        "What one run came to, as it was added to the history; the word is its id.",
        see=("series",),
    ),
    Entry(
        "series", "One measure of one problem, optimizer and batch size with the same settings, through the entries."
    ),
    Entry(
        "measure",
        "What is followed: gap, train_loss, test_loss, test_error, steps_to_target, diverged_trials, step_seconds, "
        "sgd_ratio, flops_per_step, compile_seconds, peak_bytes, state_bytes, or seconds of an imported benchmark. "
        "Lower is better in all.",
        see=("series",),
    ),
    Entry(
        "test_error",
        "Share of the test split that is classified wrongly.",
        unit="fraction",
        formula="1 - test_accuracy",
    ),
    Entry("diverged_trials", "Selection trials that diverged.", unit="trials", see=("diverged",)),
    Entry("seconds", "Time of an imported benchmark (history import).", unit="s", see=("measure",)),
    Entry(
        "failed",
        "Why a whole entry has no results; as a verdict, what ran before and fails now, or never ran.",
        see=("verdict",),
    ),
    Entry("missing", "As a verdict: measured before, and not any more.", see=("verdict",)),
    Entry("new", "As a verdict: not measured before.", see=("verdict",)),
    Entry("not_compared", "As a verdict: values that can't be compared; why says the reason.", see=("why",)),
    Entry("number", "Place of the entry in time.", tables=_LIST),
    Entry("time", "When the entry was measured, in UTC.", see=("entry",)),
    Entry("label", "A name that was given to the entry, such as a release (history add --label)."),
    Entry("commit", "The git commit that was measured; -dirty: with edits on top."),
    Entry("optbench", "Version of optbench.", tables=_LIST),
    Entry("jax", "Version of jax.", also=("optax",)),
    Entry(
        "machine",
        "Fingerprint of device, driver, processor and memory. Speed is compared on the same machine alone.",
    ),
    Entry("rows", "Values that the entry holds.", tables=_LIST),
    Entry("entries", "Entries that have a value in this series.", see=("series",)),
    Entry("lowest", "Lowest value of the series.", unit="that of measure", see=("measure",)),
    Entry("highest", "Highest value of the series.", unit="that of measure", see=("measure",)),
    Entry("latest", "Newest value of the series.", unit="that of measure", see=("measure",)),
    Entry("value", "The value of an entry, with its 95 % interval.", unit="that of measure", tables=_SHOW),
    Entry("ratio", "The newest value over the median of those before.", unit="ratio", tables=_SHOW),
    Entry("trend", "A small chart of the last 30 values, in the logarithm, oldest first.", tables=_SHOW),
    Entry(
        "changed",
        "Where the values moved to another level: the first entry after it, and the new level over the old.",
        see=("first_entry_after",),
    ),
    Entry(
        "settings",
        "Steps, points, seeds and kind of weight decay that the series was measured with.",
        tables=(*_SHOW, *_CHANGES),
    ),
    Entry("before", "Median of the entries that are compared with.", unit="that of measure", see=("now", "ratio")),
    Entry("now", "Median of the entries that are judged.", unit="that of measure", see=("before", "ratio")),
    Entry(
        "ratio",
        "now over before: above 1 is worse.",
        unit="ratio",
        formula="of losses and steps the geometric mean over seeds, paired, with 95 % Student's intervals that hold "
        "for all changed rows together; of seconds the ratio of the medians",
        see=("noise", "verdict"),
        tables=_CHANGES,
    ),
    Entry(
        "noise",
        "How far repeated entries of unchanged code lie apart by chance: a change counts only beyond it. Empty until "
        "one version has four entries, or several have two.",
        unit="share of the value",
        formula="exceeded by chance in 1 % of checks, over all rows together",
        see=("ratio", "verdict"),
    ),
    Entry("why", "The reason for a verdict of undecided, failed or not compared.", see=("verdict",)),
    Entry("version", "The version of the package that was installed and measured.", tables=_BACKFILL),
    Entry("outcome", "Whether that version could be measured.", tables=_BACKFILL),
    Entry("seconds", "How long measuring that version took.", unit="s", tables=_BACKFILL),
    Entry("first_entry_after", "The first entry at the new level.", see=("changed",)),
)
