"""Trees of at most 8 leaves: their text, and the exact SHAP values of all that can happen in one.

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

from features.errors import AccountscoreError

MOST_LEAVES = 8
NODES = MOST_LEAVES - 1
OUTCOMES = 2**NODES
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_MISSING_ZERO, _MISSING_NAN = 1, 2


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
    node_slot = np.zeros((count, NODES), dtype=np.int64)
    value = np.zeros((count, MOST_LEAVES))
    # Per leaf and node: 0 not on the path, 1 the path goes left, 2 right; and the share of rows that go that way.
    side = np.zeros((count, MOST_LEAVES, NODES), dtype=np.int8)
    share = np.ones((count, MOST_LEAVES, NODES))
    for t, tree in enumerate(trees):
        value[t, : len(tree.leaf_value)] = tree.leaf_value
        own = list(dict.fromkeys(tree.split_feature))
        slots[t, : len(own)] = own
        node_slot[t, : len(tree.split_feature)] = [own.index(f) for f in tree.split_feature]
        for leaf, path in _paths(tree).items():
            for node, goes_left, part in path:
                side[t, leaf, node] = 1 if goes_left else 2
                share[t, leaf, node] = part
    used = np.array([len(dict.fromkeys(tree.split_feature)) for tree in trees])
    values = np.empty((count, OUTCOMES, NODES))
    base = 0.0
    for start in range(0, count, 32):
        some = slice(start, start + 32)
        game = _games(node_slot[some], value[some], side[some], share[some])
        values[some] = _shapley(game)
        base += float(game[:, 0, 0].sum())
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


def _games(node_slot: np.ndarray, value: np.ndarray, side: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(T, 128 subsets, 128 outcomes): what a tree expects when it knows only the signals of the subset."""
    count = len(value)
    bits = np.arange(OUTCOMES)
    answers = (bits[:, None] >> np.arange(NODES)) & 1  # (outcome, node): 1 is left
    members = (bits[:, None] >> np.arange(NODES)) & 1  # (subset, slot)
    game = np.zeros((count, OUTCOMES, OUTCOMES))
    known = members.T[node_slot]  # (T, node, subset)
    for leaf in range(MOST_LEAVES):
        weight = np.broadcast_to(value[:, leaf, None, None], game.shape).copy()
        for node in range(NODES):
            on = side[:, leaf, node]
            if not on.any():
                continue
            agrees = (answers[:, node][None, :] == (on == 1)[:, None]).astype(float)  # (T, outcome)
            inside = known[:, node, :, None]
            factor = np.where(inside == 1, agrees[:, None, :], share[:, leaf, node, None, None])
            weight *= np.where((on > 0)[:, None, None], factor, 1.0)
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
    """All questions of all trees, asked of a row or of many at once."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._count = len(trees)
        size = self._count * NODES
        self._feature = np.zeros(size, dtype=np.int64)
        self._threshold = np.full(size, -np.inf)
        self._nan_left = np.zeros(size, dtype=bool)
        zero: list[int] = []
        zero_left: list[bool] = []
        words: list[int] = []
        lists: list[list[int]] = []
        for t, tree in enumerate(trees):
            for node, feature in enumerate(tree.split_feature):
                at = t * NODES + node
                kind = tree.decision_type[node]
                self._feature[at] = feature
                if kind & _CATEGORICAL:
                    words.append(at)
                    lists.append(tree.words_left(node))
                    continue
                self._threshold[at] = tree.threshold[node]
                missing = kind >> 2 & 3
                default_left = bool(kind & _DEFAULT_LEFT)
                # Without a missing type LightGBM takes NaN for 0.
                self._nan_left[at] = (
                    default_left if missing in (_MISSING_NAN, _MISSING_ZERO) else tree.threshold[node] >= 0
                )
                if missing == _MISSING_ZERO:
                    zero.append(at)
                    zero_left.append(default_left)
        self._zero, self._zero_left = np.array(zero, dtype=np.int64), np.array(zero_left, dtype=bool)
        self._word = np.array(words, dtype=np.int64)
        self._most = max((max(w, default=0) for w in lists), default=0) + 2
        self._goes_left = np.zeros((len(lists), self._most), dtype=bool)
        for row, codes in enumerate(lists):
            self._goes_left[row, codes] = True
        self._word_row = np.arange(len(lists))
        self._word_feature = self._feature[self._word]
        self._any_nan_left = bool(self._nan_left.any())

    def outcomes(self, x: np.ndarray) -> np.ndarray:
        """(n, T) uint8: bit i of an outcome is 1 when question i is answered "left"."""
        seen = x[:, self._feature]
        left = seen <= self._threshold
        if self._any_nan_left:
            gone = np.isnan(x)
            if gone.any():
                left |= gone[:, self._feature] & self._nan_left
        if len(self._zero):
            nothing = np.abs(seen[:, self._zero]) <= 1e-35
            left[:, self._zero] = np.where(nothing, self._zero_left, left[:, self._zero])
        if len(self._word):
            code = x[:, self._word_feature]
            known = (code >= 0) & (code < self._most - 1)
            left[:, self._word] = self._goes_left[
                self._word_row, np.where(known, code, self._most - 1).astype(np.int64)
            ]
        return np.packbits(left.reshape(len(x), self._count, NODES), axis=2, bitorder="little")[:, :, 0]


class TreeReasons:
    """Exact SHAP values of the sum of the trees, by look-up."""

    CHUNK = 256
    """Rows at a time: the gathered values of a chunk stay in the cache."""

    def __init__(self, trees: Sequence[Tree], tables: Tables, signals: int) -> None:
        self._questions = Questions(trees)
        self._signals = signals
        self._values = tables.values.reshape(-1, NODES)
        self._offset = np.arange(len(trees), dtype=np.int64) * OUTCOMES
        self._slots = tables.slots.ravel()
        self.base = tables.base
        # Sorting the slots by signal turns the scattered sum into one reduce over runs.
        self._order = np.argsort(self._slots, kind="stable")
        ordered = self._slots[self._order]
        self._filled = int(np.searchsorted(ordered, signals))
        self._order = self._order[: self._filled]
        self._present, self._starts = np.unique(ordered[: self._filled], return_index=True)

    def effects(self, x: np.ndarray) -> np.ndarray:
        """(n, k) log-odds; with `base` they sum to the trees' raw score within rounding."""
        out = np.zeros((len(x), self._signals))
        if not self._filled:
            return out
        for start in range(0, len(x), self.CHUNK):
            part = x[start : start + self.CHUNK]
            gathered = self._values[self._questions.outcomes(part) + self._offset]  # (m, T, 7)
            flat = gathered.reshape(len(part), -1)[:, self._order]
            # reduceat adds each run in one fixed order, whatever the number of rows.
            out[start : start + len(part), self._present] = np.add.reduceat(flat, self._starts, axis=1)
        return out
