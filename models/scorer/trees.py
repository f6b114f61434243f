"""Parses LightGBM trees of at most 8 leaves and tabulates their exact SHAP values.

A tree of 8 leaves asks 7 questions, so 128 outcomes describe everything that it can see of a row. For each outcome the
path-dependent SHAP values of the tree's (at most 7) signals are tabulated once; a row then costs one look-up per tree.
The values are those of Lundberg et al., "Consistent individualized feature attribution for tree ensembles" (2018),
algorithm 1, which LightGBM's `pred_contrib` computes; they agree within 1e-12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from features.kit.errors import AccountscoreError
from models.scorer.bins import Cells

MOST_LEAVES = 8
NODES = MOST_LEAVES - 1
OUTCOMES = 2**NODES
BLOCK = 32
"""Trees whose tables are summed at a time."""
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_ZERO, _MISSING_NAN = 1, 2
_ZERO = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: what is not larger is zero, where zero means missing."""


class TreeError(AccountscoreError):
    """Raised for trees that the scorer's form does not hold: too many leaves, linear leaves, another objective."""


@dataclass
class Tree:
    """One tree as LightGBM writes it; children below 0 are leaves, `~child` their number."""

    leaf_value: list[float]
    leaf_count: list[float]
    split_feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    decision_type: list[int] = field(default_factory=list)
    left_child: list[int] = field(default_factory=list)
    right_child: list[int] = field(default_factory=list)
    internal_count: list[float] = field(default_factory=list)
    cat_boundaries: list[int] = field(default_factory=list)
    cat_threshold: list[int] = field(default_factory=list)

    def words_left(self, node: int) -> list[int]:
        """Codes of a category that go left at a node."""
        which = int(self.threshold[node])
        words = self.cat_threshold[self.cat_boundaries[which] : self.cat_boundaries[which + 1]]
        return [32 * i + bit for i, word in enumerate(words) for bit in range(32) if word >> bit & 1]

    def cuts(self, node: int) -> np.ndarray:
        """Where the answer of a node may change: it is the same for all numbers from one cut up to the next."""
        kind = self.decision_type[node]
        if kind & _CATEGORICAL:
            codes = np.array(self.words_left(node), dtype=np.float64)
            # LightGBM drops the fraction, so that code 0 is all of (-1, 1).
            return np.concatenate([np.where(codes == 0, np.nextafter(-1.0, 0.0), codes), codes + 1])
        ends = [self.threshold[node]]
        if kind >> 2 & 3 == _MISSING_ZERO or abs(ends[0]) <= _ZERO:
            ends += [np.nextafter(-_ZERO, -np.inf), _ZERO]
        above = np.nextafter(np.array(ends), np.inf)  # x <= end is x < the next number
        return above[np.isfinite(above)]

    def goes_left(self, node: int, x: np.ndarray) -> np.ndarray:
        """LightGBM's decision at a node (`Tree::NumericalDecision`, `Tree::CategoricalDecision`), (n,) bool."""
        kind = self.decision_type[node]
        gone = np.isnan(x)
        if kind & _CATEGORICAL:
            return ~gone & (x > -1) & np.isin(np.trunc(x), self.words_left(node))
        missing = kind >> 2 & 3
        nothing = np.abs(x) <= _ZERO
        # Rows lose their near zeros on the way into LightGBM, before any question: -1e-35 is not below itself.
        number = np.where(nothing | (gone & (missing != _MISSING_NAN)), 0.0, x)
        absent = gone if missing == _MISSING_NAN else (missing == _MISSING_ZERO) & (number == 0)
        return np.where(absent, bool(kind & _DEFAULT_LEFT), number <= self.threshold[node])


def merge(texts: Sequence[str], scale: float) -> str:
    """The trees of several LightGBM texts as one, every leaf times `scale`.

    The sum of the merged trees is `scale` times the sum of the members' raw scores. Raises `TreeError` when a member has a
    tree of more than 8 leaves.
    """
    header, _ = _split(texts[0])
    kept = [line for line in header.splitlines() if not line.startswith("tree_sizes=")]
    blocks: list[str] = []
    for text in texts:
        for tree in _split(text)[1]:
            lines = []
            for line in tree.splitlines():
                key, _, value = line.partition("=")
                if key == "num_leaves" and int(value) > MOST_LEAVES:
                    raise TreeError(
                        f"a tree has {value} leaves: a scorer's trees have at most {MOST_LEAVES}, train with num_leaves <= {MOST_LEAVES}"
                    )
                if key == "is_linear" and value.strip() != "0":
                    raise TreeError("a tree has linear leaves: train with linear_tree=false")
                scaled = key in ("leaf_value", "internal_value")
                lines.append(f"{key}=" + " ".join(repr(float(v) * scale) for v in value.split()) if scaled else line)
            blocks.append(f"Tree={len(blocks)}\n" + "\n".join(lines))
    return "\n".join(kept).rstrip() + "\n\n" + "\n\n\n".join(blocks) + "\n\n\nend of trees\n"


def _split(text: str) -> tuple[str, list[str]]:
    head, _, rest = text.partition("\nTree=0\n")
    body = ("Tree=0\n" + rest).split("end of trees")[0]
    trees = [part.split("\n", 1)[1].strip() for part in body.split("Tree=")[1:]]
    return head, trees


def parse(text: str) -> list[Tree]:
    """The trees of a LightGBM text."""
    found = []
    for block in _split(text)[1]:
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)

        def numbers(key: str, values: dict[str, str] = values) -> list[float]:
            return [float(v) for v in values.get(key, "").split()]

        def whole(key: str, values: dict[str, str] = values) -> list[int]:
            return [int(float(v)) for v in values.get(key, "").split()]

        if int(values["num_leaves"]) > MOST_LEAVES:
            raise TreeError(f"a tree has {values['num_leaves']} leaves: at most {MOST_LEAVES}")
        single = int(values["num_leaves"]) == 1
        found.append(
            Tree(
                numbers("leaf_value"),
                [1.0] if single else numbers("leaf_count"),
                [] if single else whole("split_feature"),
                [] if single else numbers("threshold"),
                [] if single else whole("decision_type"),
                [] if single else whole("left_child"),
                [] if single else whole("right_child"),
                [] if single else numbers("internal_count"),
                whole("cat_boundaries"),
                whole("cat_threshold"),
            )
        )
    return found


@dataclass(frozen=True)
class Tables:
    """Per tree and outcome the SHAP values of its slots; a slot is a signal of the tree."""

    slots: np.ndarray
    """(T, 7) int64: signal of each slot, the number of signals for an empty slot."""
    values: np.ndarray
    """(T, 128, 7) float64."""
    base: float
    """Expected value of the sum of the trees."""


def tabulate(trees: Sequence[Tree], signals: int) -> Tables:
    """Build the tables: every tree, every subset of its signals, every outcome of its questions."""
    count = len(trees)
    slots = np.full((count, NODES), signals, dtype=np.int64)
    values = np.empty((count, OUTCOMES, NODES))
    used = np.zeros(count, dtype=np.int64)
    base = 0.0
    for start in range(0, count, BLOCK):
        games = np.empty((min(BLOCK, count - start), OUTCOMES, OUTCOMES))
        for t, tree in enumerate(trees[start : start + BLOCK], start):
            own = list(dict.fromkeys(tree.split_feature))
            used[t] = len(own)
            slots[t, : len(own)] = own
            games[t - start] = _game(tree, [own.index(feature) for feature in tree.split_feature])
        values[start : start + BLOCK] = _shapley(games)
        base += float(games[:, 0, 0].sum())
    values[np.arange(NODES)[None, None, :].repeat(OUTCOMES, 1).repeat(count, 0) >= used[:, None, None]] = 0.0
    return Tables(slots, values, base)


def _paths(tree: Tree) -> dict[int, list[tuple[int, bool, float]]]:
    """Per leaf the nodes above it, whether the path goes left there, and the share of the node's rows that do."""
    found: dict[int, list[tuple[int, bool, float]]] = {}

    def walk(child: int, path: list[tuple[int, bool, float]]) -> None:
        if child < 0:
            found[~child] = path
            return
        left, right = tree.left_child[child], tree.right_child[child]
        for below, goes_left in ((left, True), (right, False)):
            rows = tree.leaf_count[~below] if below < 0 else tree.internal_count[below]
            total = tree.internal_count[child]
            walk(below, [*path, (child, goes_left, rows / total if total else 0.5)])

    if tree.split_feature:
        walk(0, [])
    else:
        found[0] = []
    return found


def _game(tree: Tree, slot_of: Sequence[int]) -> np.ndarray:
    """(128 subsets, 128 outcomes): what a tree expects when it knows only the signals of the subset.

    `slot_of` is the slot of each node's signal. One tree at a time stays in the processor's cache, which takes a
    quarter of the time of 32 trees at once.
    """
    bits = (np.arange(OUTCOMES)[:, None] >> np.arange(NODES)) & 1 == 1  # (outcome, node): left; (subset, slot): member
    factors: dict[tuple[int, bool], np.ndarray] = {}
    game = np.zeros((OUTCOMES, OUTCOMES))
    for leaf, path in sorted(_paths(tree).items()):
        weight = np.full((OUTCOMES, OUTCOMES), tree.leaf_value[leaf])
        for node, goes_left, share in sorted(path):
            if (node, goes_left) not in factors:
                agrees = (bits[:, node] == goes_left).astype(np.float64)
                factors[node, goes_left] = np.where(bits[:, slot_of[node], None], agrees, share)
            weight *= factors[node, goes_left]
        game += weight
    return game


def _shapley(game: np.ndarray) -> np.ndarray:
    """(T, 128 outcomes, 7 slots) Shapley values; a slot that changes nothing gets 0."""
    operator = np.zeros((NODES, OUTCOMES))
    for slot in range(NODES):
        for subset in range(OUTCOMES):
            size = bin(subset & ~(1 << slot)).count("1")
            weight = math.factorial(size) * math.factorial(NODES - size - 1) / math.factorial(NODES)
            operator[slot, subset] = weight if subset >> slot & 1 else -weight
    return np.einsum("su,tuo->tos", operator, game)


class Questions:
    """All questions of all trees, answered by the cell of each signal.

    What a signal's cell answers is one byte per tree with a bit per question about that signal; the bytes of all signals
    together are the outcomes. For 300 trees and 40 signals that is 1 us a row, where comparing 2,100 thresholds takes 13.
    """

    def __init__(self, trees: Sequence[Tree], signals: int, cells: Cells | None = None) -> None:
        asked = _asked(trees, signals)
        if cells is None:  # of the signals that are asked about alone: a good third may not be
            used = [j for j, own in enumerate(asked) if own] or [0]
            cuts = cuts_of(trees, signals)
            cells = Cells([cuts[j] for j in used], used)
        self.cells = cells
        if cells.columns is not None:
            asked = [asked[j] for j in cells.columns.tolist()]
        answers = np.zeros((len(trees), self.cells.count), dtype=np.uint8)
        for j, own in enumerate(asked):
            values, places = self.cells.samples(j), self.cells.places(j)
            for t, node in own:
                answers[t, places] |= trees[t].goes_left(node, values).astype(np.uint8) << node
        self._answers = np.ascontiguousarray(answers.T)
        self._asked = [j for j, own in enumerate(asked) if own]

    def outcome(self, cells: np.ndarray) -> np.ndarray:
        """(n, T) uint8 for the (n, k) cells of few rows: bit i of an outcome is 1 when question i is answered "left"."""
        return np.bitwise_or.reduce(self._answers.take(cells, axis=0), axis=1)

    def outcomes(self, cells: np.ndarray) -> np.ndarray:
        """The same for many rows."""
        found = np.zeros((len(cells), self._answers.shape[1]), dtype=np.uint8)
        for j in self._asked:
            found |= self._answers.take(cells[:, j], axis=0)
        return found


def cuts_of(trees: Sequence[Tree], signals: int) -> list[np.ndarray]:
    """Per signal, where an answer to any question may change."""
    return [np.concatenate([np.empty(0), *(trees[t].cuts(node) for t, node in own)]) for own in _asked(trees, signals)]


def _asked(trees: Sequence[Tree], signals: int) -> list[list[tuple[int, int]]]:
    """Per signal the (tree, node) of each question about it."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(signals)]
    for t, tree in enumerate(trees):
        for node, feature in enumerate(tree.split_feature):
            found[feature].append((t, node))
    return found


class TreeReasons:
    """The sum of the trees and its exact SHAP values, by look-up: the outcome of a tree tells its value and its effects.

    Values are added from the first tree to the last, as LightGBM adds them, so that their sum has its bits.
    """

    CHUNK = 8192
    """Rows at a time. For 900 trees and 60 signals a row takes 9.0 us at 2,048, 7.6 at 4,096, 7.1 at 8,192 and 7.9 at 16,384;
    on two threads 8.8, 7.9, 4.3 and 5.3, because each step holds the interpreter's lock for a moment."""
    FEW = 32
    """Rows that are looked up in one go, all trees at once: 9 us for one, 4.5 us a row from 16 on (192 trees)."""
    MANY = 512
    """Rows from which tree by tree is faster: 1 ms and 3 us a row."""

    def __init__(self, trees: Sequence[Tree], tables: Tables, signals: int, cells: Cells | None = None) -> None:
        if tables.slots.size and not 0 <= tables.slots.min() <= tables.slots.max() <= signals:
            raise ValueError("a reason table is about a signal that there is not")
        self._questions = Questions(trees, signals, cells)
        self.cells = self._questions.cells
        self._signals = signals
        self.base = tables.base
        count = len(trees)
        # One cache line an outcome: seven effects and the tree's value, which is added up behind the signals' places.
        self._lines = np.concatenate([tables.values, _values(trees)[:, :, None]], axis=2).reshape(-1, NODES + 1)
        self._offset = np.arange(count, dtype=np.int64) * OUTCOMES
        place = np.column_stack([tables.slots, np.full(count, signals + 1)]).ravel()
        self._place = place + np.arange(self.FEW)[:, None] * (signals + 2)
        filled = [np.flatnonzero(own < signals) for own in tables.slots]
        self._of_tree = [own[places].tolist() for own, places in zip(tables.slots, filled, strict=True)]
        by_column = self._lines.reshape(count, OUTCOMES, NODES + 1).transpose(0, 2, 1)
        self._columns = [
            np.ascontiguousarray(by_column[t, np.append(places, NODES)]) for t, places in enumerate(filled)
        ]

    def effects(self, x: np.ndarray) -> np.ndarray:
        """(n, k) log-odds; with `base` they sum to the trees' raw score within rounding."""
        parts = (x[start : start + self.CHUNK] for start in range(0, max(len(x), 1), self.CHUNK))
        return np.concatenate([self.explain(self.cells.find(part))[1] for part in parts])

    def explain(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """((n,) raw scores, (n, k) effects) of rows, at most `CHUNK`, whose cells are known."""
        if len(cells) <= self.FEW:
            return self._few(cells)
        if len(cells) < self.MANY:
            parts = [self._few(cells[start : start + self.FEW]) for start in range(0, len(cells), self.FEW)]
            return np.concatenate([raw for raw, _ in parts]), np.concatenate([effects for _, effects in parts])
        outcomes = np.ascontiguousarray(self._questions.outcomes(cells).T)
        found, raw = np.zeros((self._signals, len(cells))), np.zeros(len(cells))
        by_signal, outcome = list(found), np.empty(len(cells), dtype=np.intp)
        block = np.empty((NODES + 1, len(cells)))
        for answers, columns, signals in zip(outcomes, self._columns, self._of_tree, strict=True):
            outcome[:] = answers
            values = block[: len(columns)]
            columns.take(outcome, axis=1, out=values, mode="clip")  # an outcome is below 128; "raise" would copy
            for value, j in zip(values, signals, strict=False):  # the last row is the tree's value
                np.add(by_signal[j], value, out=by_signal[j])
            raw += values[-1]
        return raw, np.ascontiguousarray(found.T)

    def _few(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n, width = len(cells), self._signals + 2
        lines = self._lines.take(self._questions.outcome(cells) + self._offset, axis=0)
        # bincount adds one after the other.
        sums = np.bincount(self._place[:n].ravel(), lines.ravel(), n * width).reshape(n, width)
        return sums[:, self._signals + 1], sums[:, : self._signals]


def _values(trees: Sequence[Tree]) -> np.ndarray:
    """(T, 128): the value of the leaf that each outcome leads to."""
    answers = (np.arange(OUTCOMES)[:, None] >> np.arange(NODES)) & 1 == 1
    found = np.empty((len(trees), OUTCOMES))
    for t, tree in enumerate(trees):
        for leaf, path in _paths(tree).items():
            there = np.ones(OUTCOMES, dtype=bool)
            for node, goes_left, _ in path:
                there &= answers[:, node] == goes_left
            found[t, there] = tree.leaf_value[leaf]
    return found
