// Steps of optimizers by libtorch's fused kernels, which go once over each parameter and its state. `tch` has no wrappers of functions
// that return nothing.

#include <torch/torch.h>

#include <vector>

#include "torch_api.h"

namespace oxtorch {

using Tensors = torch::Tensor *const *;

// Null is a tensor that is not defined.
inline std::vector<torch::Tensor> list(Tensors tensors, int count) {
  std::vector<torch::Tensor> list;
  if (!tensors) return list;
  list.reserve(count);
  for (int i = 0; i < count; ++i) list.push_back(tensors[i] ? *tensors[i] : torch::Tensor());
  return list;
}

}  // namespace oxtorch

// Adam, or with `decoupled` AdamW. The numbers of steps are counted up. `max_exp_avg_sqs` is null without AMSGrad.
extern "C" __attribute__((used)) inline void oxtorch_fused_adam(
    int decoupled, int count, oxtorch::Tensors params, oxtorch::Tensors grads, oxtorch::Tensors exp_avgs, oxtorch::Tensors exp_avg_sqs,
    oxtorch::Tensors max_exp_avg_sqs, oxtorch::Tensors steps, double lr, double beta1, double beta2, double weight_decay, double eps) {
  PROTECT(
      torch::NoGradGuard no_grad;
      auto self = oxtorch::list(params, count);
      auto gradients = oxtorch::list(grads, count);
      auto averages = oxtorch::list(exp_avgs, count);
      auto squares = oxtorch::list(exp_avg_sqs, count);
      auto largest = oxtorch::list(max_exp_avg_sqs, count);
      auto counts = oxtorch::list(steps, count);
      at::_foreach_add_(counts, 1);
      auto step = decoupled ? &at::_ops::_fused_adamw_::call : &at::_ops::_fused_adam_::call;
      step(self, gradients, averages, squares, largest, counts, lr, beta1, beta2, weight_decay, eps, max_exp_avg_sqs != nullptr, false, {}, {});)
}

// `buffers` is null without momentum. With `is_first` they get the gradients.
extern "C" __attribute__((used)) inline void oxtorch_fused_sgd(
    int is_first, int nesterov, int count, oxtorch::Tensors params, oxtorch::Tensors grads, oxtorch::Tensors buffers, double lr,
    double momentum, double dampening, double weight_decay) {
  PROTECT(
      torch::NoGradGuard no_grad;
      auto self = oxtorch::list(params, count);
      at::_fused_sgd_(self, oxtorch::list(grads, count), oxtorch::list(buffers, count), weight_decay, momentum, lr, dampening, nesterov != 0,
                      false, is_first != 0);)
}

// `zero_grad` of PyTorch: there is no gradient until the next one comes.
extern "C" __attribute__((used)) inline void oxtorch_forget_gradients(int count, oxtorch::Tensors params) {
  for (int i = 0; i < count; ++i) params[i]->mutable_grad().reset();
}
