from concerto.seeds import generator
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**31)
LABELS = st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=3)


def first(seed, *labels):
    return tuple(generator(seed, *labels).integers(0, 2**62, 4))


@given(SEEDS, LABELS)
def test_same_seed_and_labels_give_the_same_draws(seed, labels):
    assert first(seed, *labels) == first(seed, *labels)


@given(SEEDS, LABELS, LABELS)
def test_other_labels_give_other_draws(seed, one, other):
    assert (first(seed, *one) == first(seed, *other)) == (one == other)


@given(SEEDS, SEEDS, LABELS)
def test_other_seeds_give_other_draws(one, other, labels):
    assert (first(one, *labels) == first(other, *labels)) == (one == other)


def test_order_and_borders_of_labels_count():
    draws = {first(1, *labels) for labels in (("a", "b"), ("b", "a"), ("ab",), ("a",), ())}
    assert len(draws) == 5


def test_draws_are_the_same_on_every_machine():
    # a process's own hash of a string, which Python salts, would change these
    draws = generator(20141, "posterior", "BE-Vie").integers(0, 10**6, 3)
    assert draws.tolist() == [370705, 115468, 41629]
