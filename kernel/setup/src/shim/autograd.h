// Gradients beyond `backward`: those of chosen outputs by chosen inputs, hooks, and functions whose backward pass is a closure of Rust.

#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/torch.h>

#include <cstdlib>
#include <memory>
#include <unordered_set>
#include <vector>

#include "torch_api.h"

namespace oxtorch {

// A closure of Rust. It writes a tensor of its own, or null, to each place of `results`. If it fails it says why, in a text that `free` frees.
struct Closure {
  void *state;
  char *(*call)(void *state, const tensor *arguments, int argument_count, tensor *results, int result_count);
  void (*drop)(void *state);
};

// Owns one, and calls it with tensors of C++. Null is a tensor that is not defined.
class OwnedClosure : public torch::CustomClassHolder {
 public:
  explicit OwnedClosure(Closure closure) : closure_(closure) {}
  OwnedClosure(const OwnedClosure &) = delete;
  OwnedClosure &operator=(const OwnedClosure &) = delete;
  ~OwnedClosure() override { closure_.drop(closure_.state); }

  std::vector<torch::Tensor> call(std::vector<torch::Tensor> &arguments, size_t result_count) const {
    std::vector<tensor> pointers, results(result_count, nullptr);
    for (torch::Tensor &argument : arguments) pointers.push_back(argument.defined() ? &argument : nullptr);
    const int counts[] = {static_cast<int>(pointers.size()), static_cast<int>(result_count)};
    char *failure = closure_.call(closure_.state, pointers.data(), counts[0], results.data(), counts[1]);
    std::vector<torch::Tensor> tensors;
    for (tensor result : results) {
      tensors.push_back(result ? *result : torch::Tensor());
      delete result;
    }
    if (failure) {
      const std::string why = failure;
      std::free(failure);
      throw std::runtime_error(why);
    }
    return tensors;
  }

 private:
  Closure closure_;
};

// An output that was computed already, with a closure that computes the gradients of the inputs from that of the output, the
// inputs and the output.
struct Custom : torch::autograd::Function<Custom> {
  // libtorch takes tensors and `TensorList` for inputs. The output comes by its address, so it is none.
  static torch::Tensor forward(torch::autograd::AutogradContext *context, torch::TensorList inputs, const torch::Tensor *output,
                               const c10::intrusive_ptr<OwnedClosure> &backward) {
    std::vector<torch::Tensor> saved = inputs.vec();
    saved.push_back(*output);
    context->save_for_backward(saved);
    context->saved_data["backward"] = c10::IValue::make_capsule(backward);
    return *output;
  }

  static std::vector<torch::Tensor> backward(torch::autograd::AutogradContext *context, const std::vector<torch::Tensor> &gradients) {
    std::vector<torch::Tensor> arguments = context->get_saved_variables();
    const size_t count = arguments.size() - 1;
    arguments.push_back(gradients[0]);
    const auto capsule = context->saved_data["backward"].toCapsule();
    std::vector<torch::Tensor> results = static_cast<const OwnedClosure &>(*capsule).call(arguments, count);
    // None for the other two arguments of `forward`.
    results.resize(count + 2);
    return results;
  }
};

inline void give(const std::vector<torch::Tensor> &tensors, tensor *results) {
  for (size_t i = 0; i < tensors.size(); ++i) results[i] = tensors[i].defined() ? new torch::Tensor(tensors[i]) : nullptr;
}

inline at::Generator generator(int cuda) {
  const at::Device device = cuda < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(cuda));
  at::Generator generator = at::globalContext().defaultGenerator(device);
  return generator;
}

}  // namespace oxtorch

extern "C" {

// The gradients of the sum of outputs, each times its gradient, by inputs; null for an input that no output depends on.
__attribute__((used)) inline void oxtorch_grad(const tensor *outputs, const tensor *gradients, int output_count, const tensor *inputs,
                                               int input_count, int retain_graph, int create_graph, tensor *results) {
  PROTECT(
      oxtorch::give(torch::autograd::grad(oxtorch::list(outputs, output_count), oxtorch::list(inputs, input_count),
                                          oxtorch::list(gradients, output_count), retain_graph != 0, create_graph != 0,
                                          /*allow_unused=*/true),
                    results);)
}

// Gives an output that depends on the inputs by a closure, whose arguments are the inputs, the output and its gradient. It drops the
// closure, also if this fails.
__attribute__((used)) inline tensor oxtorch_custom(const tensor *inputs, int input_count, tensor output, oxtorch::Closure backward) {
  PROTECT(
      auto closure = c10::make_intrusive<oxtorch::OwnedClosure>(backward);
      const std::vector<torch::Tensor> list = oxtorch::list(inputs, input_count);
      return new torch::Tensor(oxtorch::Custom::apply(torch::TensorList(list), output, closure));)
  return nullptr;
}

// Calls a closure with each gradient of a tensor; what it gives, if it gives one, is the gradient from there on.
__attribute__((used)) inline unsigned oxtorch_register_hook(tensor tensor, oxtorch::Closure hook) {
  PROTECT(
      auto closure = std::make_shared<oxtorch::OwnedClosure>(hook);
      return tensor->register_hook([closure](const torch::Tensor &gradient) {
        std::vector<torch::Tensor> arguments{gradient};
        return closure->call(arguments, 1)[0];
      });)
  return 0;
}

__attribute__((used)) inline void oxtorch_remove_hook(tensor tensor, unsigned hook) { PROTECT(tensor->remove_hook(hook);) }

__attribute__((used)) inline void oxtorch_retain_grad(tensor tensor) { PROTECT(tensor->retain_grad();) }

// Where the random numbers of a device have come to, `cuda` being the number of a GPU, or below 0 for the CPU.
__attribute__((used)) inline tensor oxtorch_rng_state(int cuda) {
  PROTECT(return new torch::Tensor(oxtorch::generator(cuda).get_state());)
  return nullptr;
}

__attribute__((used)) inline void oxtorch_set_rng_state(int cuda, tensor state) { PROTECT(oxtorch::generator(cuda).set_state(*state);) }

// Has the graph of a tensor told, one call for each tensor at its ends whose gradient is accumulated.
__attribute__((used)) inline void oxtorch_leaves(tensor output, void *state, void (*tell)(void *state, tensor leaf)) {
  PROTECT(
      std::vector<torch::autograd::Node *> open;
      std::unordered_set<torch::autograd::Node *> seen;
      if (output->grad_fn()) open.push_back(&*output->grad_fn());
      while (!open.empty()) {
        torch::autograd::Node *node = open.back();
        open.pop_back();
        if (!seen.insert(node).second) continue;
        if (auto *leaf = dynamic_cast<torch::autograd::AccumulateGrad *>(node)) tell(state, new torch::Tensor(leaf->variable));
        for (const auto &edge : node->next_edges())
          if (edge.is_valid()) open.push_back(&*edge.function);
      })
}

}  // extern "C"
