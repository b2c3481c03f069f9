// Tells the runtime of losses that were given predictions and targets of shapes that differ. libtorch broadcasts them without an
// error: of [4, 1] and [4] it compares each prediction with each target.

#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <sstream>
#include <vector>

namespace oxtorch {

using TellBroadcast = void (*)(const char *call);

// Whom to tell; nobody until the runtime has said so.
inline std::atomic<TellBroadcast> tell_broadcast{nullptr};

// The loss itself leaves sizes of 1 out of what it compares, where they do not count.
inline std::vector<int64_t> sizes(const torch::Tensor &tensor, bool ones_count) {
  std::vector<int64_t> sizes = tensor.sizes().vec();
  if (!ones_count) sizes.erase(std::remove(sizes.begin(), sizes.end(), 1), sizes.end());
  return sizes;
}

// Tells of a call such as `mse_loss([4, 1], [4])` that libtorch has computed, where more pairs came of it than one of the tensors has elements.
inline void watch_broadcast(const char *function, bool ones_count, std::initializer_list<const torch::Tensor *> tensors) noexcept {
  const TellBroadcast tell = tell_broadcast.load();
  if (!tell) return;
  try {
    std::vector<int64_t> pairs;
    bool differ = false;
    for (const torch::Tensor *tensor : tensors) {
      if (!tensor || !tensor->defined()) return;
      differ |= tensor->sizes() != (*tensors.begin())->sizes();
    }
    if (!differ) return;
    for (const torch::Tensor *tensor : tensors) pairs = at::infer_size(pairs, sizes(*tensor, ones_count));
    const int64_t count = c10::multiply_integers(pairs);
    if (std::all_of(tensors.begin(), tensors.end(), [&](const torch::Tensor *tensor) { return tensor->numel() == count; })) return;
    std::ostringstream call;
    call << function << '(';
    const char *separator = "";
    for (const torch::Tensor *tensor : tensors) {
      call << separator << tensor->sizes();
      separator = ", ";
    }
    call << ')';
    tell(call.str().c_str());
  } catch (...) {
  }
}

}  // namespace oxtorch

extern "C" __attribute__((used)) inline void oxtorch_tell_broadcasts_to(oxtorch::TellBroadcast tell) {
  oxtorch::tell_broadcast.store(tell);
}
