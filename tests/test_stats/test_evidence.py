"""What a search knows of its candidates: right in what it says, and in how sure it is."""

import json

import numpy as np
import pytest
import torch
from scipy import stats

from mmddas.core import Evidence, Findings, PolicyFileError, PolicySchedule, SearchSpace, sample_sub_policies
from mmddas.stats.effects import Effects
from mmddas.stats.evidence import BLOCKS, SCALE_DECAY

SPACE = SearchSpace(
    [('Rotate_BBox', 2), ('Rotate_BBox', 4), ('Color', 0), ('Solarize', 2), ('Solarize', 8), 'Equalize']
)


def steps(count: int, seed: int, effects=None, noise: float = 1.0, sub_policies: int = 3):
    """Sub-policies, and alignments that are a sum of their candidates' effects, of the step's own and of noise."""
    generator = torch.Generator().manual_seed(seed)
    effects = torch.zeros(len(SPACE)) if effects is None else torch.tensor(effects)
    for _ in range(count):
        indices = sample_sub_policies(SPACE, sub_policies, generator)
        shared, own = torch.randn(1, generator=generator), torch.randn(sub_policies, generator=generator)
        yield indices, effects[indices].sum(dim=1) + shared + noise * own


def evidence(*args, **kwargs) -> Evidence:
    found = Evidence(SPACE)
    for indices, alignments in steps(*args, **kwargs):
        assert found.add(indices, alignments)
    return found


def test_equal_views_have_no_effect():
    found = Evidence(SPACE)
    for indices, _ in steps(30, 0):
        found.add(indices, torch.full((3,), 0.7))
    findings = found.findings()
    assert np.abs(findings.candidate_effects.effect).max() < 1e-12
    assert not findings.operation_effects.significant().any()


def test_effects_are_slopes_with_errors_from_blocks():
    """Against the definition, on all steps at once."""
    found, products, squares, sizes = evidence(95, 1).findings(), [], [], []
    for indices, alignments in steps(95, 1):
        counts = torch.stack([(indices == k).sum(dim=1) for k in range(len(SPACE))], dim=1).double()
        sizes.append(alignments.abs().double().mean())
        weights = SCALE_DECAY ** torch.arange(len(sizes) - 1, -1, -1, dtype=torch.float64)
        shares = alignments.double() / (weights @ torch.stack(sizes) / weights.sum())
        counts, shares = counts - counts.mean(dim=0), shares - shares.mean()
        products.append((counts * shares[:, None]).sum(dim=0).numpy())
        squares.append((counts**2).sum(dim=0).numpy())
    products, squares = np.array(products), np.array(squares)
    slope = products.sum(axis=0) / squares.sum(axis=0)
    parts = [slice(begin, begin + BLOCKS[0]) for begin in range(0, 95, BLOCKS[0])]
    p, q = (np.array([values[part].sum(axis=0) for part in parts]) for values in (products, squares))
    effective = q.sum(axis=0) ** 2 / (q**2).sum(axis=0)
    variance = ((p - slope * q) ** 2).sum(axis=0) / q.sum(axis=0) ** 2 * effective / (effective - 1)
    beside_all = (len(SPACE) - 1) / len(SPACE)
    np.testing.assert_allclose(found.candidate_effects.effect, beside_all * slope, rtol=1e-10)
    np.testing.assert_allclose(found.candidate_effects.std_error, beside_all * np.sqrt(variance), rtol=1e-8)


def test_the_scale_of_alignments_does_not_count():
    plain, changed = Evidence(SPACE), Evidence(SPACE)
    for indices, alignments in steps(50, 2):
        plain.add(indices, alignments)
        changed.add(indices, alignments * 1000)
    one, other = (found.findings().candidate_effects for found in (plain, changed))
    np.testing.assert_allclose([one.effect, one.std_error], [other.effect, other.std_error], rtol=1e-5)


def test_effects_are_beside_the_mean_of_all():
    """Without noise, and on one scale in all steps: effects less their mean come out as they were put in."""
    effects = [0.3, -0.2, 0.5, 0.0, 0.1, -0.7]
    found = Evidence(SPACE)
    for indices, _ in steps(4000, 9, sub_policies=6):
        # Large numbers of both signs: the mean absolute alignment is that of every step.
        alignments = torch.tensor(effects)[indices].sum(dim=1)
        found.add(torch.cat([indices, indices]), torch.cat([alignments + 100, alignments - 100]))
    candidates, operations = found.findings().candidate_effects, found.findings().operation_effects
    expected = np.array(effects) - np.mean(effects)
    np.testing.assert_allclose(candidates.effect * 100, expected, atol=0.02)
    by_operation = [expected[:2].mean(), expected[2], expected[3:5].mean(), expected[5]]
    np.testing.assert_allclose(operations.effect * 100, by_operation, atol=0.02)


def test_known_effects_are_found_and_signed():
    findings = evidence(400, 3, effects=[-0.5, -0.5, 0.0, 0.0, 0.0, 1.0]).findings()
    found = dict(zip(findings.operations, findings.operation_effects.significant().tolist(), strict=True))
    assert found == dict(Rotate_BBox=True, Color=False, Solarize=False, Equalize=True)
    assert findings.operation_effects.effect[0] < 0 < findings.operation_effects.effect[3]
    assert findings.sentence(10).startswith(
        '2 of 4 operations are significant (false discovery rate 5%): Rotate_BBox (help); Equalize (hurt). '
    )


def test_errors_are_those_of_repetitions():
    """The standard deviation of an effect over 40 repetitions, and what each says of it."""
    found = [evidence(120, seed).findings().operation_effects for seed in range(40)]
    spread = np.std([effects.effect for effects in found], axis=0)
    said = np.mean([effects.std_error for effects in found], axis=0)
    np.testing.assert_allclose(said / spread, 1, atol=0.25)


def test_what_is_known_of_others_is_no_noise():
    """Beside plain slopes: the same mean over 24 repetitions, and less spread, which the errors know of."""
    effects, found, plain = [1.5, 1.5, 0.0, -1.5, -1.5, 0.0], [], []
    for seed in range(24):
        evidence_of_all = evidence(200, seed, effects, noise=0.5)
        found.append(evidence_of_all.findings().candidate_effects)
        products, squares = 0.0, 0.0
        for indices, alignments in steps(200, seed, effects, noise=0.5):
            counts = torch.nn.functional.one_hot(indices, len(SPACE)).sum(dim=1).double()
            counts, shares = counts - counts.mean(dim=0), alignments.double() - alignments.double().mean()
            products, squares = products + shares @ counts, squares + (counts**2).sum(dim=0)
        plain.append((products / squares).numpy() * (len(SPACE) - 1) / len(SPACE))
    values, plain = np.array([candidates.effect for candidates in found]), np.array(plain)
    # The one is in units of the mean absolute alignment, the other is not.
    unit = (values.mean(axis=0) @ plain.mean(axis=0)) / (plain.mean(axis=0) ** 2).sum()
    np.testing.assert_allclose(values.mean(axis=0) / unit, effects, atol=0.1)
    assert (values.std(axis=0) / unit).mean() < 0.75 * plain.std(axis=0).mean()
    said = np.mean([candidates.std_error for candidates in found], axis=0)
    np.testing.assert_allclose(said / values.std(axis=0), 1, atol=0.3)


LEVELS = 2, 4, 6, 8, 10
LEVELLED = SearchSpace(
    [(op, level) for op in ('TranslateX_BBox', 'Color', 'Contrast', 'Sharpness') for level in LEVELS]
)


def levelled(count: int, seed: int, wild: float) -> Evidence:
    """Of operations that do nothing, but for one whose two highest levels hurt, by amounts that vary wildly."""
    generator, found = torch.Generator().manual_seed(seed), Evidence(LEVELLED)
    for _ in range(count):
        indices = sample_sub_policies(LEVELLED, 6, generator)
        hurt = torch.isin(indices, torch.tensor([3, 4])).sum(dim=1)
        own, amount = torch.randn(6, generator=generator), torch.randn(6, generator=generator).exp()
        found.add(indices, hurt * wild * amount + own)
    return found


@pytest.mark.parametrize('seed', range(6))
def test_what_is_known_lies_between_what_is_observed_and_what_is_expected(seed):
    """Of a candidate: its own effect, and its operation's, which lies between 0 and what is observed of it.

    Else an operation of which one level hurts would have another level help more than anything has shown.
    """
    found = levelled(150, seed, wild=3.0)
    findings, (known, spread) = found.findings(), found.shrunk()
    assert spread > 0 and known.any()
    of_operation = findings.operation_effects.effect[found.space.operation_of]
    around = np.stack([findings.candidate_effects.effect, of_operation, np.zeros(len(known))])
    assert (around.min(axis=0) - 1e-9 <= known).all() and (known <= around.max(axis=0) + 1e-9).all()


def test_shrinking_brings_effects_closer_to_the_truth():
    """Of operations and levels whose effects are normal, after few steps; in the mean over ten searches."""
    generator, errors = np.random.default_rng(0), []
    for seed in range(10):
        truth = np.repeat(generator.normal(size=4), len(LEVELS)) + 0.5 * generator.normal(size=len(LEVELLED))
        truth -= truth.mean()
        draws, found = torch.Generator().manual_seed(seed), Evidence(LEVELLED)
        for _ in range(150):
            indices = sample_sub_policies(LEVELLED, 6, draws)
            found.add(indices, torch.from_numpy(truth)[indices].sum(dim=1) + 4 * torch.randn(6, generator=draws))
        observed, known = found.findings().candidate_effects.effect, found.shrunk()[0]
        unit = observed @ truth / (truth @ truth)  # the evidence is in units of the mean absolute alignment
        errors.append([((effects / unit - truth) ** 2).mean() for effects in (observed, known)])
    observed, known = np.mean(errors, axis=0)
    assert known < 0.8 * observed


def test_a_single_operation_is_beside_nothing():
    found = Evidence(SearchSpace([('Rotate_BBox', 2), ('Rotate_BBox', 4)], num_ops=1))
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        indices = sample_sub_policies(found.space, 3, generator)
        found.add(indices, indices[:, 0] + 0.1 * torch.randn(3, generator=generator))
    findings = found.findings()
    assert findings.candidate_effects.effect[0] < 0 < findings.candidate_effects.effect[1]
    assert not findings.operation_effects.significant().any()


def test_errors_that_steps_share_are_in_them():
    """Effects that change their sign every ten steps are none, whatever single steps say."""
    found = Evidence(SPACE)
    sign = np.random.default_rng(0).choice([-1.0, 1.0], size=60)
    for step, (indices, alignments) in enumerate(steps(600, 4, noise=0.1)):
        found.add(indices, alignments * 0.1 + sign[step // 10] * (indices == 2).sum(dim=1))
    score = found.findings().candidate_effects.scores[2]
    single = abs(found.findings().candidate_effects.effect[2]) / 0.01
    assert abs(score) < 2.5 < single


def test_nothing_is_said_where_nothing_is_known():
    empty = Evidence(SPACE).findings()
    assert np.isnan(empty.candidate_effects.effect).all() and not empty.operation_effects.significant().any()
    assert 'none of 4 operations is significant' in empty.sentence(0)
    one = Evidence(SPACE)
    assert not one.add(torch.tensor([[0, 1]]), torch.tensor([float('nan')]))
    assert not one.add(torch.tensor([[0, 1]]), torch.tensor([0.0]))
    assert one.steps == 0


def test_processes_with_sub_policies_of_their_own_are_one_larger_step():
    whole, parts = Evidence(SPACE), Evidence(SPACE)
    for indices, alignments in steps(40, 5, sub_policies=6):
        whole.add(indices, alignments)
        parts.add(indices.reshape(2, 3, 2), alignments.reshape(2, 3))
    assert whole.findings().to_dict() == parts.findings().to_dict()


def test_a_resumed_search_knows_the_same(tmp_path):
    whole, first = evidence(77, 6), Evidence(SPACE)
    for step, (indices, alignments) in enumerate(steps(77, 6)):
        if step == 33:
            torch.save(first.state_dict(), tmp_path / 'state.pth')
            first = Evidence(SPACE)
            first.load_state_dict(torch.load(tmp_path / 'state.pth', weights_only=True))
        first.add(indices, alignments)
    assert first.findings().to_dict() == whole.findings().to_dict()


def policy(findings: Findings | None) -> PolicySchedule:
    content = dict(
        num_ops=2,
        candidates=[dict(op=op, level=level) for op, level in SPACE.candidates],
        epochs=[dict(total_prob=0.3, op_probs=[1 / 6] * 6)],
    )
    schedule = PolicySchedule.from_dict(content)
    schedule.findings = findings
    return schedule


def test_the_file_keeps_it_and_files_without_it_stay_valid(tmp_path):
    for findings in (evidence(50, 7).findings(), Evidence(SPACE).findings()):
        policy(findings).save(tmp_path / 'policy.json')
        assert PolicySchedule.load(tmp_path / 'policy.json').findings.to_dict() == findings.to_dict()
    assert PolicySchedule.load(tmp_path / 'policy.json').smooth(1).static().findings is not None
    policy(None).save(tmp_path / 'policy.json')
    assert PolicySchedule.load(tmp_path / 'policy.json').findings is None
    assert 'evidence' not in json.loads((tmp_path / 'policy.json').read_text())


def test_a_file_of_version_1_is_read():
    """It names an effect's standard error ``error``, and its degrees of freedom ``freedom``."""
    content = policy(evidence(50, 7).findings()).to_dict()
    old = json.loads(json.dumps(content).replace('"std_error"', '"error"').replace('"dof"', '"freedom"'))
    assert old != content and PolicySchedule.from_dict(old | dict(version=1)).to_dict() == content
    old['evidence']['candidates'][1]['error'] = 'small'
    with pytest.raises(PolicyFileError, match=r'evidence\.candidates\[1\]\.error: expected a number'):
        PolicySchedule.from_dict(old | dict(version=1))


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('steps', -1, r'evidence\.steps'),
        ('operations', [], r'evidence\.operations: expected a list of 4'),
        ('candidates', None, r'evidence\.candidates'),
        ('candidates', [dict(std_error=-1.0)] * 6, r'evidence\.candidates\[0\]\.std_error'),
        ('candidates', [dict(effect='much')] * 6, r'evidence\.candidates\[0\]\.effect'),
        ('operations', [dict(op='Rotate_BBox')] * 4, 'those of the candidates'),
    ],
)
def test_wrong_evidence_is_named(field, value, message):
    content = policy(evidence(30, 8).findings()).to_dict()
    content['evidence'][field] = value
    with pytest.raises(PolicyFileError, match=message):
        PolicySchedule.from_dict(content)


@pytest.mark.parametrize('dof', [3.0, 10.0, 100.0])
def test_intervals_are_of_students_t(dof):
    effects = Effects(*np.array([[5.0], [0.3], [0.2], [dof]]))
    assert effects.half_widths[0] == pytest.approx(0.2 * stats.t.ppf(0.975, dof), rel=0.05)
    edge = Effects(effects.draws, effects.half_widths, effects.std_error, effects.dof)
    assert edge.p_values[0] == pytest.approx(0.05)  # an interval that just reaches 0


def test_two_searches_say_how_far_they_agree():
    names = [f'op{number}' for number in range(12)]

    def found(effect: np.ndarray, operations: list[str] = names) -> Findings:
        columns = np.full(len(effect), 100.0), effect, np.full(len(effect), 0.1), np.full(len(effect), 50.0)
        return Findings(100, operations, Effects(*columns), Effects(*columns))

    effect = np.linspace(-1, 1, 12)
    assert (
        found(effect)
        .rank_agreement(found(effect))
        .startswith('effects of 12 operations have a rank correlation of 1.00 (')
    )
    turned = effect.copy()
    turned[[0, 11]] = turned[[11, 0]]
    said = found(effect).rank_agreement(found(turned, names))
    expected = stats.spearmanr(effect, turned).statistic
    assert said.startswith(f'effects of 12 operations have a rank correlation of {expected:.2f} (')
    assert said.endswith('; significant with opposite signs: op0, op11')
    # By name, whatever the order, and of what both know alone.
    other = found(effect[::-1], names[::-1])
    assert found(effect).rank_agreement(other) == found(effect).rank_agreement(found(effect))
    assert found(np.where(np.arange(12) < 8, np.nan, effect)).rank_agreement(other) == ''
