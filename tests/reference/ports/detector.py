"""A one-level detector after torchvision's RetinaNet: anchors, matching, focal and L1 loss, decoding, suppression.

The cells of tests/cells/port_detector.cells are the same program; they give the numbers that this prints."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes, sigmoid_focal_loss

SIZE, STRIDE, CLASSES = 64, 8, 2
SCALES = [12.0, 20.0]


def make_anchors():
    centers = (torch.arange(SIZE // STRIDE) + 0.5) * STRIDE
    cy, cx = torch.meshgrid(centers, centers, indexing="ij")
    centers = torch.stack((cx, cy, cx, cy), dim=-1).reshape(-1, 1, 4)
    scales = torch.tensor(SCALES).reshape(1, -1, 1) / 2
    return (centers + scales * torch.tensor([-1.0, -1.0, 1.0, 1.0])).reshape(-1, 4)


def encode(boxes, anchors):
    anchor_sizes, anchor_centers = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    sizes, centers = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    return torch.cat(((centers - anchor_centers) / anchor_sizes, torch.log(sizes / anchor_sizes)), dim=1)


def decode(deltas, anchors):
    anchor_sizes, anchor_centers = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    centers = deltas[:, :2] * anchor_sizes + anchor_centers
    sizes = torch.exp(deltas[:, 2:].clamp(max=math.log(1000 / 16))) * anchor_sizes
    return torch.cat((centers - sizes / 2, centers + sizes / 2), dim=1)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.cls_logits = nn.Conv2d(32, len(SCALES) * CLASSES, 3, padding=1)
        self.bbox_reg = nn.Conv2d(32, len(SCALES) * 4, 3, padding=1)
        nn.init.constant_(self.cls_logits.bias, -math.log((1 - 0.01) / 0.01))

    def forward(self, x):
        features = self.backbone(x)
        cls_logits = self.cls_logits(features).permute(0, 2, 3, 1).reshape(x.size(0), -1, CLASSES)
        bbox_regression = self.bbox_reg(features).permute(0, 2, 3, 1).reshape(x.size(0), -1, 4)
        return cls_logits, bbox_regression


def compute_loss(cls_logits, bbox_regression, boxes, labels, anchors):
    iou, matched = box_iou(boxes, anchors).max(dim=0)
    foreground = torch.where(iou >= 0.5)[0]
    valid = (iou < 0.4) | (iou >= 0.5)
    num_foreground = max(1, foreground.numel())
    classes = torch.zeros_like(cls_logits)
    classes[foreground, labels[matched[foreground]]] = 1.0
    classification = sigmoid_focal_loss(cls_logits[valid], classes[valid], reduction="sum") / num_foreground
    targets = encode(boxes[matched[foreground]], anchors[foreground])
    regression = F.l1_loss(bbox_regression[foreground], targets, reduction="sum") / num_foreground
    return classification + regression


def postprocess(cls_logits, bbox_regression, anchors, score_thresh=0.2, topk_candidates=50, nms_thresh=0.5):
    scores, index = torch.sigmoid(cls_logits).flatten().topk(topk_candidates)
    keep = scores > score_thresh
    scores, index = scores[keep], index[keep]
    anchor, labels = index // CLASSES, index % CLASSES
    boxes = clip_boxes_to_image(decode(bbox_regression[anchor], anchors[anchor]), (SIZE, SIZE))
    keep = remove_small_boxes(boxes, 1.0)
    boxes, scores, labels = boxes[keep], scores[keep], labels[keep]
    keep = batched_nms(boxes, scores, labels, nms_thresh)
    return boxes[keep], scores[keep], labels[keep]


def draw_sample():
    """Two squares, one in each half of the picture: a full one, or a frame."""
    image = torch.zeros(1, SIZE, SIZE)
    boxes, labels = [], torch.randint(CLASSES, (2,))
    for half in range(2):
        size = int(torch.randint(10, 22, (1,)))
        x = half * 32 + int(torch.randint(32 - size, (1,)))
        y = int(torch.randint(SIZE - size, (1,)))
        image[0, y : y + size, x : x + size] = 1.0
        if labels[half] == 1:
            image[0, y + 3 : y + size - 3, x + 3 : x + size - 3] = 0.0
        boxes.append([x, y, x + size, y + size])
    return image, torch.tensor(boxes, dtype=torch.float), labels


torch.manual_seed(0)
anchors = make_anchors()
model = Detector()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(201):
    samples = [draw_sample() for _ in range(8)]
    cls_logits, bbox_regression = model(torch.stack([image for image, _, _ in samples]))
    losses = [compute_loss(cls_logits[i], bbox_regression[i], s[1], s[2], anchors) for i, s in enumerate(samples)]
    loss = sum(losses) / len(losses)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    # Later ones depend on how a processor rounds.
    if step in (0, 50):
        print(f"step {step}: loss {loss:.2f}")

image, boxes, labels = draw_sample()
with torch.no_grad():
    cls_logits, bbox_regression = model(image.unsqueeze(0))
found, scores, classes = postprocess(cls_logits[0], bbox_regression[0], anchors)
same = labels[:, None] == classes[None, :]
best, _ = (box_iou(boxes, found) * same).max(dim=1)
print(f"each square is found with its class: {str(bool(best.min() > 0.5)).lower()}")
