"""Boxes and masks by the definitions of torchvision.ops and torchvision.utils, with PyTorch 2.13 alone: torchvision
itself is not used. Overlaps are computed from the areas of each pair, suppression box by box in double precision."""

import torch

from encode import tensor, write

torch.manual_seed(17)


def some_boxes(count, side=40.0, size=20.0):
    corners = torch.rand(count, 2) * side
    return torch.cat([corners, corners + 2 + torch.rand(count, 2) * size], 1)


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a, b):
    width = (torch.minimum(a[2], b[2]) - torch.maximum(a[0], b[0])).clamp(min=0)
    height = (torch.minimum(a[3], b[3]) - torch.maximum(a[1], b[1])).clamp(min=0)
    return width * height / (area(a) + area(b) - width * height)


def generalized_iou(a, b):
    around = torch.cat([torch.minimum(a[:2], b[:2]), torch.maximum(a[2:], b[2:])])
    shared = iou(a, b)
    union = (area(a) + area(b)) / (1 + shared)
    return shared - (area(around) - union) / area(around)


def pairwise(function, a, b):
    return torch.stack([torch.stack([function(x, y) for y in b]) for x in a])


def gradient(function, a, b):
    leaf = a.clone().requires_grad_()
    pairwise(function, leaf, b).sum().backward()
    return leaf.grad


def nms(boxes, scores, threshold, classes=None):
    boxes, kept = boxes.double(), []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i].item()):
        same = [k for k in kept if classes is None or classes[k] == classes[i]]
        if all(iou(boxes[k], boxes[i]) <= threshold for k in same):
            kept.append(i)
    return torch.tensor(kept)


def with_masks(image, masks, colors, alpha):
    out = image.double().expand(3, -1, -1).clone()
    painted = out.clone()
    for mask, color in zip(masks, colors):
        painted[:, mask] = torch.tensor(color, dtype=torch.float64)[:, None]
    return out * (1 - alpha) + painted * alpha


def with_rims(image, boxes, colors, width):
    out = image.expand(3, -1, -1).clone()
    _, rows, columns = out.shape
    for box, color in zip(boxes.to(torch.int64).tolist(), colors):
        left, right = (min(max(x, 0), columns - 1) for x in box[0::2])
        top, bottom = (min(max(y, 0), rows - 1) for y in box[1::2])
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                if min(y - top, bottom - y, x - left, right - x) < width:
                    out[:, y, x] = torch.tensor(color) / 255
    return out


boxes, others = some_boxes(8), some_boxes(5)
boxes[0] = torch.tensor([-3.0, 5.0, 12.0, 70.0])
boxes[1] = torch.tensor([2.0, -4.0, 60.0, 3.0])
x1, y1, x2, y2 = boxes.unbind(1)
clipped = torch.stack([x1.clamp(0, 40), y1.clamp(0, 30), x2.clamp(0, 40), y2.clamp(0, 30)], 1)
crowded = some_boxes(60, side=25.0)
scores, classes = torch.rand(60), torch.randint(0, 3, (60,))
photo, gray = torch.rand(3, 4, 5), torch.rand(1, 12, 14)
masks = torch.rand(2, 4, 5) > 0.6
colors = [(255, 0, 0), (0, 128, 64), (0, 0, 255)]
shares = [tuple(value / 255 for value in color) for color in colors]
photo_bytes = torch.randint(0, 256, (3, 4, 5), dtype=torch.uint8)
rims = torch.tensor([[1.0, 1.5, 6.9, 7.0], [8.0, -5.0, 30.0, 4.0], [3.0, 9.0, 5.0, 10.0]])

write(
    "vision",
    {
        "boxes": tensor(boxes),
        "others": tensor(others),
        "formats": {
            "xyxy": tensor(boxes),
            "xywh": tensor(torch.stack([x1, y1, x2 - x1, y2 - y1], 1)),
            "cxcywh": tensor(torch.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], 1)),
        },
        "area": tensor((x2 - x1) * (y2 - y1)),
        "clipped": tensor(clipped),
        "not_small": tensor(torch.where((x2 - x1 >= 6) & (y2 - y1 >= 6))[0]),
        "iou": tensor(pairwise(iou, boxes, others)),
        "iou_gradient": tensor(gradient(iou, boxes, others)),
        "generalized_iou": tensor(pairwise(generalized_iou, boxes, others)),
        "generalized_iou_gradient": tensor(gradient(generalized_iou, boxes, others)),
        "nms": {
            "boxes": tensor(crowded),
            "scores": tensor(scores),
            "classes": tensor(classes),
            "kept": {str(share): tensor(nms(crowded, scores, share)) for share in (0.3, 0.5, 0.7)},
            "kept_of_classes": {str(share): tensor(nms(crowded, scores, share, classes)) for share in (0.3, 0.5, 0.7)},
        },
        "masks": {
            "photo": tensor(photo),
            "masks": tensor(masks),
            "drawn": tensor(with_masks(photo, masks, shares, 0.8).float()),
            "bytes": tensor(photo_bytes),
            "drawn_bytes": tensor(with_masks(photo_bytes, masks, colors, 0.5).round().to(torch.uint8)),
        },
        "rims": {"photo": tensor(gray), "boxes": tensor(rims), "drawn": tensor(with_rims(gray, rims, colors, 2))},
    },
)
