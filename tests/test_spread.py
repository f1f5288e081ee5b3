from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tempogan_eddy.spread import spread_evenly


@given(st.integers(0, 5000), st.integers(1, 300))
def test_a_few_of_many_lie_evenly_from_the_first_to_the_last(total, most):
    numbers = spread_evenly(total, most)
    assert len(numbers) == min(total, most)
    gaps = {later - earlier for earlier, later in pairwise(numbers)}
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)
    assert set(numbers[:1] + numbers[-1:]) <= {0, total - 1}
    assert most == 1 or total == 0 or numbers[-1] == total - 1
