// What a failed call of libtorch says besides: which function it was, and what the tensors were that it got.

#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <sstream>
#include <string>

namespace oxtorch {

// One tensor, or a list of them. Optional ones may be null.
struct Argument {
  const char *name;
  torch::Tensor *const *tensors;
  int count;
  bool is_list;
};

// The kinds as `tch` names them.
inline const char *kind(const torch::Tensor &tensor) {
  switch (tensor.scalar_type()) {
    case torch::kUInt8: return "Uint8";
    case torch::kInt8: return "Int8";
    case torch::kInt16: return "Int16";
    case torch::kInt64: return "Int64";
    default: return c10::toString(tensor.scalar_type());
  }
}

inline void describe(std::ostream &out, const torch::Tensor &tensor) {
  out << kind(tensor) << ' ' << tensor.sizes();
  if (!tensor.is_cpu()) out << " on " << tensor.device();
}

// More of them than this say nothing more.
constexpr int most_of_a_list = 8;

// The message of an error without the stack of C++ functions that libtorch adds.
inline std::string without_stack(const char *message) {
  std::string text(message);
  size_t end = std::min(text.size(), std::min(text.find("\nException raised from"), text.find("\nframe #0")));
  // libtorch ends some of its messages with a newline, or with several.
  while (end > 0 && text[end - 1] == '\n') --end;
  return text.substr(0, end);
}

// That message with a line behind it: `in add(self: Float [2, 3], other: Float [4])`.
inline std::string with_arguments(const char *message, const char *function, std::initializer_list<Argument> arguments) {
  std::ostringstream line;
  line << without_stack(message) << "\nin " << function << '(';
  const char *separator = "";
  for (const Argument &argument : arguments) {
    if (!argument.is_list && (!*argument.tensors || !(*argument.tensors)->defined())) continue;
    line << separator << argument.name << ": " << (argument.is_list ? "[" : "");
    separator = ", ";
    for (int i = 0; i < argument.count; ++i) {
      if (i > 0) line << ", ";
      if (i == most_of_a_list) {
        line << "...";
        break;
      }
      const torch::Tensor *tensor = argument.tensors[i];
      if (tensor && tensor->defined()) describe(line, *tensor); else line << "none";
    }
    if (argument.is_list) line << ']';
  }
  line << ')';
  return line.str();
}

// A copy for the Rust side, which frees it. What cannot be said besides is left out.
inline char *report(const std::exception &error, const char *function, std::initializer_list<Argument> arguments) noexcept {
  try {
    return strdup(with_arguments(error.what(), function, arguments).c_str());
  } catch (...) {
    return strdup(error.what());
  }
}

// The same for a function that takes no tensors.
inline char *report(const std::exception &error) noexcept {
  try {
    return strdup(without_stack(error.what()).c_str());
  } catch (...) {
    return strdup(error.what());
  }
}

}  // namespace oxtorch
