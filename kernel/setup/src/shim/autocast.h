// Where a thread computes in lower precision. The functions of the shim for that know the GPU alone, by way of functions that libtorch
// warns of.

#include <ATen/autocast_mode.h>

// A bit for each device: 1 for the CPU, 2 for GPUs.
extern "C" __attribute__((used)) inline int oxtorch_autocast() {
  return (at::autocast::is_autocast_enabled(at::kCPU) ? 1 : 0) | (at::autocast::is_autocast_enabled(at::kCUDA) ? 2 : 0);
}

extern "C" __attribute__((used)) inline void oxtorch_set_autocast(int devices) {
  at::autocast::set_autocast_enabled(at::kCPU, (devices & 1) != 0);
  at::autocast::set_autocast_enabled(at::kCUDA, (devices & 2) != 0);
}
