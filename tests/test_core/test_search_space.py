import pytest

from mmddas.core import Candidate, SearchSpace


def test_candidates_are_read_from_pairs_names_and_candidates():
    space = SearchSpace([('Rotate_BBox', 6), 'Equalize', Candidate('Color', 2), ['AutoContrast', None]])
    assert space.candidates == (('Rotate_BBox', 6), ('Equalize', None), ('Color', 2), ('AutoContrast', None))
    assert len(space) == 4 and space.num_ops == 2
    assert str(space.candidates[0]) == 'Rotate_BBox 6'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(candidates=[]), 'at least one'),
        (dict(candidates=['A', 'B', ('A', None)]), 'more than once: A'),
        (dict(candidates=['A'], num_ops=0), 'num_ops'),
        (dict(candidates=['A'], num_ops=1.5), 'num_ops'),
        (dict(candidates=['A'], num_ops=True), 'num_ops'),
        (dict(candidates=[('A', 'high')]), 'level'),
        (dict(candidates=[('A', float('nan'))]), 'level'),
        (dict(candidates=[(3, 2)]), 'name'),
    ],
)
def test_wrong_search_spaces_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SearchSpace(**arguments)


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(ValueError, match='detection'):
        SearchSpace.preset('detecton')


def test_detection_preset_has_every_operation_of_the_table():
    assert len({candidate.op for candidate in SearchSpace.preset('detection').candidates}) == 26
