"""Links tell the parents that a dictionary would, whatever comes again, is forgotten or taken back."""

from collections import deque

import numpy as np
import pytest

from processors.rollup.once.links import Links


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spread", [200, 2**62])
def test_whatever_comes_and_goes(seed, spread):
    chance = np.random.default_rng(seed)
    log, parents, arrivals = [], {}, deque()
    links = Links(log)
    for now in range(200):
        oldest, most = now - int(chance.integers(5, 200)), int(chance.integers(500, 5000))
        links.expire(oldest, most)
        while arrivals and (arrivals[0][0] < oldest or len(parents) > most):
            for key in arrivals.popleft()[1]:
                del parents[key]
        log.clear()
        keys, told = chance.integers(-spread, spread, (2, chance.integers(1, 120)))
        links.add(keys, told, now)
        if chance.random() < 0.2:
            for action in reversed(log):
                action()
        else:
            fresh = [key for key in dict.fromkeys(keys.tolist()) if key not in parents]
            parents |= {key: told[keys.tolist().index(key)] for key in fresh}
            arrivals.append((now, fresh))

        assert len(links) == len(parents)
        asked = np.concatenate((keys, chance.integers(-spread, spread, 30)))
        assert links.parents_of(asked).tolist() == [parents.get(key, 0) for key in asked.tolist()]
