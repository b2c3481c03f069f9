"""Average precision by pycocotools 2.0.11; intersection over union of pixels by its definition, with PyTorch 2.13."""

import contextlib
import io

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from encode import tensor, write

torch.manual_seed(23)
CLASSES = 3


def some_boxes(count):
    corners = (torch.rand(count, 2) * 80).round()
    return torch.cat([corners, corners + 5 + (torch.rand(count, 2) * 40).round()], 1)


def image(truths, misses, inventions):
    """Boxes, some of which are found, not quite where they are, and others that are not there."""
    true_boxes, true_labels = some_boxes(truths), torch.randint(0, CLASSES, (truths,))
    found = torch.cat([true_boxes[misses:], true_boxes[misses::3]])
    labels = torch.cat([true_labels[misses:], true_labels[misses::3]])
    found = found + (torch.randn(found.shape) * 1.5).round()
    boxes = torch.cat([found, some_boxes(inventions)])
    labels = torch.cat([labels, torch.randint(0, CLASSES + 1, (inventions,))])
    return {
        "boxes": boxes,
        "scores": (torch.rand(len(boxes)) * 20).round() / 20,
        "labels": labels,
        "true_boxes": true_boxes,
        "true_labels": true_labels,
    }


def rows(boxes, labels, image):
    for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist()):
        box = [x1, y1, x2 - x1, y2 - y1]
        yield {"image_id": image, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}


images = [image(12, 2, 3), image(5, 0, 0), image(0, 0, 2), image(8, 8, 0), image(20, 3, 8)]
# Many detections of one class in an image: only the best 100 count.
many = image(150, 0, 0)
many["labels"][:], many["true_labels"][:] = 1, 1
images.append(many)

with contextlib.redirect_stdout(io.StringIO()):
    truths, found = COCO(), COCO()
    everything = {
        "images": [{"id": i} for i in range(len(images))],
        "categories": [{"id": c} for c in range(CLASSES + 1)],
    }
    annotations = [row for i, im in enumerate(images) for row in rows(im["true_boxes"], im["true_labels"], i)]
    detections = [
        {**row, "score": score}
        for i, im in enumerate(images)
        for row, score in zip(rows(im["boxes"], im["labels"], i), im["scores"].tolist())
    ]
    for coco, annotated in ((truths, annotations), (found, detections)):
        coco.dataset = {**everything, "annotations": [{**row, "id": i + 1} for i, row in enumerate(annotated)]}
        coco.createIndex()
    evaluation = COCOeval(truths, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()

precision = evaluation.eval["precision"][:, :, :, 0, 2]

scores, targets = torch.randn(2, 5, 6, 7), torch.randint(0, 4, (2, 6, 7))
scores[:, 4] = -9  # neither predicted nor there
targets[0, :2] = 255
counted, predicted = targets != 255, scores.argmax(1)
iou = []
for c in range(5):
    a, b = (predicted == c) & counted, (targets == c) & counted
    iou.append((a & b).sum().double() / (a | b).sum())
iou = torch.stack(iou)

write(
    "detection",
    {
        "images": {str(i): {name: tensor(value) for name, value in im.items()} for i, im in enumerate(images)},
        "thresholds": evaluation.params.iouThrs.tolist(),
        "map": float(evaluation.stats[0]),
        "map_50": float(evaluation.stats[1]),
        "map_75": float(evaluation.stats[2]),
        "per_class": tensor(np.array([precision[:, :, c].mean() for c in range(CLASSES)])),
        "pixels": {
            "scores": tensor(scores),
            "targets": tensor(targets),
            "iou": tensor(iou),
            "mean": iou.nanmean().item(),
        },
    },
)
