"""Find DDASAugment in data sets: through wrappers, and through transforms that hold transforms."""

from collections.abc import Iterator

from .augment import DDASAugment


def inner_datasets(dataset: object) -> list:
    """List the data sets that a wrapper (Repeat-, Concat-, MultiImageMixDataset, ...) wraps; none for a data set."""
    single = [getattr(dataset, name, None) for name in ('dataset', '_dataset')]
    return [child for child in [*single, *getattr(dataset, 'datasets', ())] if child is not None]


def datasets_within(dataset: object) -> Iterator[object]:
    """Yield the data set, and all that it wraps."""
    yield dataset
    for child in inner_datasets(dataset):
        yield from datasets_within(child)


def transforms_of(dataset: object) -> list:
    """Return the list, not a copy, of the transforms that the data set itself applies; empty if it has none."""
    pipeline = getattr(dataset, 'pipeline', None)
    transforms = getattr(pipeline, 'transforms', pipeline)
    return transforms if isinstance(transforms, list) else []


def transforms_within(transform: object) -> Iterator[object]:
    """Yield a transform and those that it holds, or those of a list."""
    if isinstance(transform, (list, tuple)):
        for child in transform:
            yield from transforms_within(child)
        return
    yield transform
    yield from transforms_within(getattr(transform, 'transforms', ()))
    # MMDetection's MultiBranch
    yield from transforms_within(list(getattr(transform, 'branch_pipelines', {}).values()))


def augments_within(transform: object) -> Iterator[DDASAugment]:
    """Yield every DDASAugment in a transform, in those that it holds, or in a list of transforms."""
    return (found for found in transforms_within(transform) if isinstance(found, DDASAugment))


def find_augments(dataset: object) -> list[DDASAugment]:
    """List every DDASAugment that a data set applies, each once."""
    found = (augment for part in datasets_within(dataset) for augment in augments_within(transforms_of(part)))
    return list({id(augment): augment for augment in found}.values())
