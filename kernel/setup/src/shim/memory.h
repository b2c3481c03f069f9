// Tensors over memory that is not libtorch's, such as that of a mapped file.

#include <torch/torch.h>

#include <memory>

#include "torch_api.h"

// The same tensor as one over such memory, with something that has the memory stay. `drop` is called with that once no
// tensor needs it any longer, also if this fails.
extern "C" __attribute__((used)) inline tensor oxtorch_keep_memory(tensor over, void *owner, void (*drop)(void *owner)) {
  PROTECT(
      std::shared_ptr<void> kept(owner, drop);
      auto keep = [kept](void *) {};
      return new torch::Tensor(torch::from_blob(over->data_ptr(), over->sizes(), keep, over->options()));)
  return nullptr;
}
