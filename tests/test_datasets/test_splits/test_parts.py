"""Splits: every image in one part, each class in its proportion, the same by the same seed."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmddas.datasets.class_counts import class_rows
from mmddas.datasets.splits.parts import part_sizes, split, write_split
from mmddas.datasets.splits.voc import read_voc_folder
from mmddas.viz.tables import text_table

CLASSES = ('cat', 'dog', 'yak')  # of 60 images 40 have a cat, 18 a dog, 6 a yak; 6 have nothing


def boxes_of(number: int) -> list[tuple[str, list[float]]]:
    has = [('cat', number < 40), ('dog', 30 <= number < 48), ('yak', 48 <= number < 54)]
    return [(name, [1 + number % 5, 2, 10, 12]) for name, there in has if there]


def draw_image(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (16, 20, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())


def write_xml(path: Path, name: str, objects, extra: str = '', size=(20, 16)) -> None:
    corners = ('xmin', 'ymin', 'xmax', 'ymax')
    items = ''.join(
        f'<object><name>{kind}</name><difficult>0</difficult><bndbox>'
        + ''.join(f'<{corner}>{value}</{corner}>' for corner, value in zip(corners, box, strict=True))
        + '</bndbox></object>'
        for kind, box in objects
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>'
        f'{items}{extra}</annotation>'
    )


@pytest.fixture
def voc(tmp_path):
    """60 photos, each beside its XML file."""
    folder = tmp_path / 'photos'
    for number in range(60):
        draw_image(folder / f'{number:03}.png', number)
        write_xml(folder / f'{number:03}.xml', f'{number:03}.png', boxes_of(number))
    return folder


@pytest.fixture
def coco(voc):
    """The same in COCO's format, beside its images."""
    path = voc / 'annotations.json'
    path.write_text(json.dumps(read_voc_folder(voc).annotations))
    for file in voc.glob('*.xml'):
        file.unlink()
    return path


@pytest.fixture
def folders(tmp_path):
    for label, name in enumerate(CLASSES):
        for number in range(20 * (label + 1)):
            draw_image(tmp_path / 'pets' / name / f'{number}.png', 100 * label + number)
    return tmp_path / 'pets'


@pytest.fixture(params=['voc', 'coco', 'folders'])
def source(request):
    return request.getfixturevalue(request.param)


def images_of(content) -> list[str]:
    return [path for path, _ in content] if isinstance(content, list) else [i['file_name'] for i in content['images']]


def total(found) -> int:
    return sum(counts.images for counts in found.counts().values())


def test_every_image_is_in_one_part(source):
    found = split(source, val=0.25, test=7)
    parts = {name: images_of(content) for name, content in found.contents.items()}
    images = sorted(name for part in parts.values() for name in part)
    there = sorted(path.relative_to(found.images).as_posix() for path in found.images.rglob('*.png'))
    assert images == there and len(set(images)) == len(images)
    assert len(parts['val']) == round(0.25 * len(there)) and len(parts['test']) == 7


def test_each_class_is_shared_out_in_its_proportion(source):
    found = split(source, val=1 / 3, test=1 / 3)
    counts = found.counts()
    assert found.classes == [*CLASSES]
    for label in range(3):
        having = [counts[part].images_of[label] for part in ('train', 'val', 'test')]
        assert max(having) - min(having) <= max(2, 0.2 * sum(having)), (CLASSES[label], having)
    without = [counts[part].without for part in counts]
    assert max(without) - min(without) <= 1


def test_the_same_seed_draws_the_same_and_another_seed_another(source):
    first, again, other = (split(source, seed=seed).contents for seed in (0, 0, 1))
    assert first == again
    assert all(images_of(first[part]) != images_of(other[part]) for part in first)


def test_the_size_of_val_does_not_change_test(source):
    few, many = (split(source, val=val, test=10) for val in (5, 20))
    assert few.contents['test'] == many.contents['test']
    assert set(images_of(few.contents['val'])) < set(images_of(many.contents['val']))


def test_a_part_that_is_not_asked_for_is_not_there(source):
    found = split(source, val=0, test=0.5)
    assert [*found.contents] == ['train', 'test']
    assert total(found) == len(list(found.images.rglob('*.png')))


def test_copies_of_an_image_stay_in_one_part(voc):
    for number in range(0, 60, 2):
        (voc / f'{number:03}.png').write_bytes((voc / '000.png').read_bytes())
    found = split(voc, val=0.2, test=0.2)
    copies = [{name for name in images_of(content) if int(name[:3]) % 2 == 0} for content in found.contents.values()]
    assert sorted(len(part) for part in copies)[-1] == 30
    assert found.notes == ['29 images are copies of others, and stay in one part with them']


def test_boxes_of_xml_files_are_those_that_mmdetection_reads(voc):
    from mmdet.datasets import VOCDataset

    write_xml(voc / '000.xml', '000.png', [('cat', [2, 3, 9, 14]), ('yak', [1, 1, 20, 16])])
    (voc / 'Annotations').mkdir()
    (voc / 'JPEGImages').mkdir()
    for path in [*voc.glob('*.xml'), *voc.glob('*.png')]:
        path.rename(voc / ('Annotations' if path.suffix == '.xml' else 'JPEGImages') / path.name)
        if path.suffix == '.png':
            os.link(voc / 'JPEGImages' / path.name, voc / 'JPEGImages' / f'{path.stem}.jpg')
    (voc / 'list.txt').write_text('000\n001\n')
    for path in (voc / 'JPEGImages').glob('*.png'):
        path.unlink()
    theirs = VOCDataset(
        data_root=str(voc), ann_file='list.txt', data_prefix=dict(sub_data_root=''), metainfo=dict(classes=CLASSES)
    )
    ours = read_voc_folder(voc).annotations
    for index in range(2):
        image = ours['images'][index]
        expected = [(i['bbox'], CLASSES[i['bbox_label']]) for i in theirs.get_data_info(index)['instances']]
        found = [
            ([x, y, x + width, y + height], CLASSES[item['category_id'] - 1])
            for item in ours['annotations']
            if item['image_id'] == image['id']
            for x, y, width, height in [item['bbox']]
        ]
        assert found == expected and image['file_name'] == f'JPEGImages/00{index}.jpg'


def test_xml_files_that_lack_something(voc):
    write_xml(voc / '000.xml', 'other.jpg', [('cat', [2, 3, 9, 14]), ('cat', [4, 4, 4, 9])], size=(0, 0))
    (voc / '001.xml').unlink()
    box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>'
    difficult = f'<object><name>yak</name><difficult>1</difficult>{box}</object>'
    write_xml(voc / '002.xml', '002.png', [], difficult)
    found = read_voc_folder(voc)
    first = found.annotations['images'][0]
    assert (first['width'], first['height']) == (20, 16)  # the image's own
    assert found.without_area == ['000.xml: cat'] and found.unlabelled == ['001.png']
    (crowd,) = [item for item in found.annotations['annotations'] if item['iscrowd']]
    assert crowd['bbox'] == [0, 0, 4, 4]
    assert split(voc).notes[:2] == [
        '1 images have no XML file and are left out: 001.png',
        '1 boxes have no area and are left out: 000.xml: cat',
    ]


def test_of_several_images_of_a_name_the_nearest_one_is_meant(tmp_path, monkeypatch):
    for camera in ('front', 'rear'):
        draw_image(tmp_path / camera / '1.png', 0)
        write_xml(tmp_path / camera / '1.xml', '1.png', [('cat', [1, 1, 5, 5])])
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, '.'):
        names = [image['file_name'] for image in read_voc_folder(folder).annotations['images']]
        assert names == ['front/1.png', 'rear/1.png']


def test_an_image_of_both_names_goes_before_one_that_is_nearer(tmp_path):
    write_xml(tmp_path / 'xml' / '1.xml', '1.png', [('cat', [1, 1, 5, 5])])
    draw_image(tmp_path / 'xml' / '1.bmp', 0)  # a mask, say
    draw_image(tmp_path / 'images' / '1.png', 1)
    (image,) = read_voc_folder(tmp_path).annotations['images']
    assert image['file_name'] == 'images/1.png'


def test_files_that_were_renamed_or_copied_keep_the_image_of_their_name(tmp_path):
    """Their ``filename`` is of a time before that."""
    for number in range(1, 5):
        draw_image(tmp_path / f'{number}.png', number)
    for number in range(2, 5):
        write_xml(tmp_path / f'{number}.xml', f'{number - 1}.png', [('cat', [1, 1, 5, 5])])
    draw_image(tmp_path / '2_flip.png', 5)
    write_xml(tmp_path / '2_flip.xml', '2.png', [('cat', [1, 1, 5, 5])])
    found = read_voc_folder(tmp_path)
    assert [image['file_name'] for image in found.annotations['images']] == ['2.png', '2_flip.png', '3.png', '4.png']
    assert found.unlabelled == ['1.png']


def test_a_filename_goes_before_a_mask_of_the_xml_files_name(tmp_path):
    write_xml(tmp_path / '1.xml', 'photo.png', [('cat', [1, 1, 5, 5])])
    draw_image(tmp_path / '1.bmp', 0)
    draw_image(tmp_path / 'photo.png', 1)
    assert read_voc_folder(tmp_path).annotations['images'][0]['file_name'] == 'photo.png'


def test_folders_above_the_source_may_be_hidden(voc, tmp_path, monkeypatch):
    hidden = tmp_path / '.data' / 'photos'
    hidden.parent.mkdir()
    voc.rename(hidden)
    (hidden / 'below').mkdir()
    monkeypatch.chdir(hidden / 'below')
    assert split('..').contents == split(hidden).contents


def test_annotations_get_what_their_evaluation_reads(coco):
    """pycocotools counts an object with id 0 as not found, keeps one of each id, and reads area and iscrowd of all."""
    source = json.loads(coco.read_text())
    whole = split(coco)
    for number, item in enumerate(source['annotations']):
        del item['area'], item['iscrowd']
        item['id'] = number
    coco.write_text(json.dumps(source))
    found = split(coco)
    assert found.contents == whole.contents
    assert [note for note in found.notes if note not in whole.notes] == [
        'ids of its annotations are missing, 0, no whole numbers or shared: they are numbered anew',
        f'{len(source["annotations"])} annotations have no area, and get that of their boxes',
    ]
    source['annotations'][3].update(id=7, area=5.0)
    coco.write_text(json.dumps(source))
    items = [item for content in split(coco).contents.values() for item in content['annotations']]
    assert sorted(item['id'] for item in items) == [*range(1, len(items) + 1)]
    for item in source['annotations']:
        item['id'] = f'id {id(item)}'
    coco.write_text(json.dumps(source))
    named = [item for content in split(coco).contents.values() for item in content['annotations']]
    assert sorted(item['id'] for item in named) == [*range(1, len(items) + 1)]
    assert sum(item['area'] == 5 for item in items) == 1


@pytest.mark.parametrize(
    ('key', 'change', 'message'),
    [
        ('images', dict(width=None), r"the key 'width' is missing in images\[2\]"),
        ('annotations', dict(bbox=None), r"the key 'bbox' is missing in annotations\[2\]"),
        ('annotations', dict(bbox=[]), r'bbox is \[\] in annotations\[2\], not the numbers'),
        ('annotations', dict(bbox=[1, 2, '3', 4]), r"bbox is \[1, 2, '3', 4\] in annotations\[2\]"),
    ],
)
def test_what_mmdetection_could_not_read_is_named(coco, key, change, message):
    source = json.loads(coco.read_text())
    entry = source[key][2]
    entry.update(change)
    source[key][2] = {name: value for name, value in entry.items() if value is not None}
    coco.write_text(json.dumps(source))
    with pytest.raises(ValueError, match=message):
        split(coco)


def test_files_are_written_all_or_none_and_read_again(source, tmp_path):
    found = split(source)
    files = write_split(found, tmp_path / 'out')
    assert write_split(found, tmp_path / 'out') == files  # the same again
    texts = {file: file.read_text() for file in files.values()}
    with pytest.raises(FileExistsError, match='is of another split'):
        write_split(split(source, seed=1), tmp_path / 'out')
    with pytest.raises(FileExistsError, match='test'):
        write_split(split(source, test=0), tmp_path / 'out')
    assert {file: file.read_text() for file in files.values()} == texts
    without = write_split(split(source, test=0), tmp_path / 'out', overwrite=True)
    assert not files['test'].exists() and 'test' not in without


def test_the_table_has_every_class_and_the_sums(source):
    found = split(source)
    rows = text_table(class_rows(found.counts()), indent=2).splitlines()
    assert [row.split()[0] for row in rows][1:-1] in ([*CLASSES[::-1]], ['cat', 'dog', 'yak', 'no'])
    images = rows[-1].split()[1:][:: 1 if found.kind == 'folders' else 2]
    assert sum(int(cell.replace(',', '')) for cell in images) == total(found)


@pytest.mark.parametrize(
    ('val', 'test', 'message'),
    [
        (-1, 0, 'val is -1: a share below 1, or a number of images'),
        (0, 2.5, 'test is 2.5: a share below 1'),
        (0.01, 0, 'val is 0.01 of 10 images, which is none'),
        (0.5, 5, 'none is left to train'),
        (float('nan'), 0, 'val is nan'),
    ],
)
def test_parts_that_cannot_be(val, test, message):
    with pytest.raises(ValueError, match=message):
        part_sizes(10, val, test)


def test_sources_that_are_none(voc, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no 'nothing'"):
        split('nothing')
    with pytest.raises(ValueError, match='is one XML file: give the folder'):
        split(voc / '000.xml')
    draw_image(tmp_path / 'done' / 'train' / 'cat' / '0.png', 0)
    draw_image(tmp_path / 'done' / 'val' / 'cat' / '0.png', 1)
    with pytest.raises(ValueError, match='is split already, into train, val'):
        split(tmp_path / 'done')
    (tmp_path / 'done' / 'a.json').write_text('{}')
    with pytest.raises(ValueError, match=r'a folder with JSON files: give the annotation file: .*a\.json'):
        split(tmp_path / 'done')
    (tmp_path / 'pets' / 'empty').mkdir(parents=True)
    draw_image(tmp_path / 'pets' / 'cat' / '0.png', 0)
    with pytest.raises(ValueError, match='folders without images: empty'):
        split(tmp_path / 'pets')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<annotation>', 'is not XML'),
        ('<svg/>', 'not an annotation of Pascal VOC: <annotation> is expected, not <svg>'),
        ('<annotation><object/></annotation>', 'an object without a name'),
        ('<annotation><object><name>cat</name></object></annotation>', "the box of 'cat' needs four numbers"),
    ],
)
def test_xml_files_that_are_not_vocs(voc, text, message):
    (voc / '007.xml').write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        split(voc)
    assert '007.xml' in str(error.value)


def test_xml_files_without_an_image(voc):
    (voc / '007.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of the 60 XML files in .* have no image of their name'):
        split(voc)


def test_the_images_of_a_coco_file_are_looked_for(coco, tmp_path):
    assert split(coco).images == coco.parent
    moved = tmp_path / 'annotations' / 'all.json'
    moved.parent.mkdir()
    coco.rename(moved)
    assert split(moved).images == coco.parent  # beside the annotations' folder
    coco.parent.rename(tmp_path / 'annotations' / 'sub')
    assert split(moved).images == tmp_path / 'annotations' / 'sub'
    assert split(moved).notes[0] == f"its images are those in '{tmp_path / 'annotations' / 'sub'}'"
    (tmp_path / 'annotations' / 'sub').rename(tmp_path.with_name(f'{tmp_path.name}_far'))
    found = split(moved)
    assert found.images is None and 'copies are not looked for' in found.notes[0]
    with pytest.raises(FileNotFoundError, match='60 of 60 images are not in'):
        split(moved, images=tmp_path)


def test_parts_whose_images_have_the_same_names_are_told_apart(coco, tmp_path, monkeypatch):
    for part in ('train', 'test'):
        shutil.copytree(coco.parent, tmp_path / 'd' / part)
    file = tmp_path / 'd' / 'annotations' / 'instances_train.json'
    file.parent.mkdir()
    shutil.copy(coco, file)
    assert split(file).images == tmp_path / 'd' / 'train'
    monkeypatch.chdir(file.parent)
    assert split(file.name).images.resolve() == tmp_path / 'd' / 'train'
    with pytest.raises(ValueError, match='the images of all.json are in .*test.*, .*train.*: --images says in which'):
        split(file.rename(file.with_name('all.json')))


def test_images_and_annotations_may_be_links(voc, tmp_path):
    photos = tmp_path / 'linked'
    photos.mkdir()
    (photos / 'all').symlink_to(voc)
    assert split(photos).kind == 'voc' and total(split(photos)) == 60


def test_webp_and_tiff_are_images(folders):
    images = sorted((folders / 'cat').iterdir())
    images[0].rename(images[0].with_suffix('.webp'))
    images[1].rename(images[1].with_suffix('.tiff'))
    assert total(split(folders)) == 120
