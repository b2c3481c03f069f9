// Proves that the C++ shim works with the libtorch that it was compiled for: the core of what notebooks do, and that
// every symbol that the shim needs is there. Called with libtorch's main library, the shim, and a folder to write into;
// says on the error stream what does not work.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>
#include <unistd.h>
#include <vector>

typedef void *tensor;

static void fail(const std::string &what) {
  fprintf(stderr, "%s\n", what.c_str());
  exit(1);
}

static void *shim;

// A function of the shim by its name.
template <typename F> static F *get(const char *name) {
  void *found = dlsym(shim, name);
  if (!found) fail(std::string(name) + " is missing");
  return reinterpret_cast<F *>(found);
}

static std::string last_error() {
  char *error = get<char *()>("get_and_reset_last_err")();
  return error ? error : "";
}

// Calls a function of the shim, which reports no error.
template <typename R, typename... A> static R call(const char *name, A... arguments) {
  R result = get<R(A...)>(name)(arguments...);
  std::string error = last_error();
  if (!error.empty()) fail(std::string(name) + ": " + error);
  return result;
}

template <typename... A> static void run(const char *name, A... arguments) {
  get<void(A...)>(name)(arguments...);
  std::string error = last_error();
  if (!error.empty()) fail(std::string(name) + ": " + error);
}

// Calls a function that writes the tensor that it makes.
template <typename... A> static tensor make(const char *name, A... arguments) {
  tensor made = nullptr;
  run<tensor *, A...>(name, &made, arguments...);
  return made;
}

static void close_to(const char *what, double is, double expected) {
  if (!(std::fabs(is - expected) < 1e-3))
    fail(std::string(what) + " is " + std::to_string(is) + ", not " + std::to_string(expected));
}

const int FLOAT = 6, INT64 = 4;

static tensor floats(std::vector<float> values, std::vector<int64_t> shape) {
  return call<tensor, void *, int64_t *, size_t, size_t, int>("at_tensor_of_data", values.data(), shape.data(),
                                                              shape.size(), sizeof(float), FLOAT);
}

static double item(tensor t) { return call<double, tensor, int64_t *, int>("at_double_value_at_indexes", t, nullptr, 0); }

static tensor parameter(std::vector<float> values, std::vector<int64_t> shape) {
  return make<tensor, int>("atg_set_requires_grad", floats(values, shape), 1);
}

// What the Rust side gives the shim to write to and to read from.
struct Stream {
  std::vector<uint8_t> bytes;
  uint64_t at = 0;
};

extern "C" {
bool tch_write_stream_destructor(void *) { return true; }
bool tch_write_stream_write(void *stream, const uint8_t *bytes, size_t size, size_t *written) {
  auto &all = static_cast<Stream *>(stream)->bytes;
  all.insert(all.end(), bytes, bytes + size);
  *written = size;
  return true;
}
bool tch_read_stream_destructor(void *) { return true; }
bool tch_read_stream_stream_position(void *stream, uint64_t *at) {
  *at = static_cast<Stream *>(stream)->at;
  return true;
}
bool tch_read_stream_seek_start(void *stream, uint64_t to, uint64_t *at) {
  *at = static_cast<Stream *>(stream)->at = to;
  return true;
}
bool tch_read_stream_seek_end(void *stream, int64_t to, uint64_t *at) {
  auto *all = static_cast<Stream *>(stream);
  *at = all->at = all->bytes.size() + to;
  return true;
}
bool tch_read_stream_read(void *stream, uint8_t *bytes, size_t size, size_t *read) {
  auto *all = static_cast<Stream *>(stream);
  *read = all->at < all->bytes.size() ? std::min<size_t>(size, all->bytes.size() - all->at) : 0;
  memcpy(bytes, all->bytes.data() + all->at, *read);
  all->at += *read;
  return true;
}
}

static void arithmetic() {
  tensor a = floats({1, 2, 3, 4}, {2, 2}), b = floats({5, 6, 7, 8}, {2, 2});
  tensor product = make<tensor, tensor>("atg_matmul", a, b);
  float values[4];
  run<tensor, void *, size_t, size_t>("at_copy_data", product, values, 4, sizeof(float));
  close_to("the first of a matrix product", values[0], 19);
  close_to("the last of a matrix product", values[3], 50);
  close_to("a sum", item(make<tensor, int>("atg_sum", a, FLOAT)), 10);
  char *text = call<char *, tensor, int>("at_to_string", a, 80);
  if (!text || !strchr(text, '4')) fail("a tensor cannot be written as text");
}

static void errors() {
  tensor made = nullptr;
  get<void(tensor *, tensor, tensor)>("atg_matmul")(&made, floats({1, 2}, {1, 2}), floats({1, 2, 3}, {1, 3}));
  if (last_error().empty()) fail("a product of matrices that do not fit is no error");
}

static void training(const char *name, void *optimizer) {
  tensor x = floats({1, 2, 3, 4, 5, 6, 7, 9}, {4, 2}), y = floats({8, 18, 28, 41}, {4, 1});
  tensor weight = parameter({0.5, 0.5}, {1, 2}), bias = parameter({0}, {1});
  run<void *, tensor, size_t>("ato_add_parameters", optimizer, weight, 0);
  run<void *, tensor, size_t>("ato_add_parameters", optimizer, bias, 0);
  double first = 0, last = 0;
  for (int step = 0; step < 200; step++) {
    tensor out = make<tensor, tensor, tensor>("atg_linear", x, weight, bias);
    tensor loss = make<tensor, tensor, int64_t>("atg_mse_loss", out, y, 1);
    run<void *>("ato_zero_grad", optimizer);
    run<tensor, int, int>("at_backward", loss, 0, 0);
    run<void *>("ato_step", optimizer);
    last = item(loss);
    if (step == 0) first = last;
  }
  run<void *>("ato_free", optimizer);
  if (!(last < first / 20)) fail(std::string(name) + ": the loss went from " + std::to_string(first) + " to " + std::to_string(last));
}

// Of a parameter of 2 with a gradient of 3.
static void fused() {
  tensor adam = floats({2}, {1}), gradient = floats({3}, {1}), average = floats({0}, {1}), squares = floats({0}, {1}), steps = floats({0}, {});
  run<int, int, tensor *, tensor *, tensor *, tensor *, tensor *, tensor *, double, double, double, double, double>(
      "oxtorch_fused_adam", 1, 1, &adam, &gradient, &average, &squares, nullptr, &steps, 0.1, 0.9, 0.999, 0.5, 1e-8);
  close_to("a fused step of AdamW", item(make<tensor, int>("atg_sum", adam, FLOAT)), 1.8);
  close_to("the count of steps", item(steps), 1);
  tensor sgd = floats({2}, {1}), buffer = floats({0}, {1});
  run<int, int, int, tensor *, tensor *, tensor *, double, double, double, double>(
      "oxtorch_fused_sgd", 1, 0, 1, &sgd, &gradient, &buffer, 0.1, 0.9, 0.0, 0.5);
  close_to("a fused step of SGD", item(make<tensor, int>("atg_sum", sgd, FLOAT)), 1.6);
}

static int released = 0;

static void release(void *) { released++; }

// Memory stays as long as the last tensor over it.
static void memory() {
  float values[] = {1, 2, 3, 4};
  int64_t shape[] = {2, 2};
  tensor plain = call<tensor, void *, int64_t *, size_t, int64_t *, size_t, int, int>("at_tensor_of_blob", values, shape, 2, nullptr, 0, FLOAT, -1);
  tensor kept = call<tensor, tensor, void *, void (*)(void *)>("oxtorch_keep_memory", plain, values, release);
  tensor row = make<tensor, int64_t, int64_t>("atg_select", kept, 0, 1);
  run<tensor>("at_free", kept);
  close_to("memory that is not libtorch's", item(make<tensor, int>("atg_sum", row, FLOAT)), 7);
  if (released != 0) fail("memory is released while a tensor needs it");
  run<tensor>("at_free", row);
  if (released != 1) fail("memory is not released");
}

static void network() {
  std::vector<float> pixels(2 * 8 * 8, 1), kernel(4 * 3 * 3, 1);
  tensor weight = parameter(kernel, {4, 1, 3, 3}), bias = parameter({0, 0, 0, 0}, {4});
  int64_t one[] = {1, 1}, two[] = {2, 2}, none[] = {0, 0};
  tensor x = make<tensor, tensor, tensor, int64_t *, int, int64_t *, int, int64_t *, int, int64_t>(
      "atg_conv2d", floats(pixels, {2, 1, 8, 8}), weight, bias, one, 2, none, 2, one, 2, 1);
  x = make<tensor>("atg_relu", x);
  x = make<tensor, int64_t *, int, int64_t *, int, int64_t *, int, int64_t *, int, int>("atg_max_pool2d", x, two, 2, two, 2,
                                                                                        none, 2, one, 2, 0);
  x = make<tensor, int64_t, int64_t>("atg_flatten", x, 1, -1);
  close_to("a convolution", item(make<tensor, int>("atg_mean", x, FLOAT)), 9);
  int64_t classes[] = {0, 35}, pair[] = {2};
  tensor target = call<tensor, void *, int64_t *, size_t, size_t, int>("at_tensor_of_data", classes, pair, 1, sizeof(int64_t), INT64);
  tensor loss = make<tensor, tensor, tensor, int64_t, int64_t, double>("atg_cross_entropy_loss", x, target, nullptr, 1, -100, 0.0);
  close_to("a cross entropy", item(loss), std::log(36.0));
  run<tensor, int, int>("at_backward", loss, 0, 0);
  tensor gradient = make<tensor>("atg_grad", weight);
  if (!std::isfinite(item(make<tensor, int>("atg_sum", gradient, FLOAT)))) fail("a gradient is not finite");
}

static void keep(void *data, char *name, tensor loaded) {
  if (!strcmp(name, "weight")) *static_cast<double *>(data) = item(make<tensor, int>("atg_sum", loaded, FLOAT));
}

static void files(const std::string &folder) {
  tensor saved[] = {floats({1, 2, 3, 4}, {2, 2})};
  char name[] = "weight";
  char *names[] = {name};
  std::string file = folder + "/weights";
  run<tensor *, char **, int, char *>("at_save_multi", saved, names, 1, &file[0]);
  double sum = 0;
  run<char *, void *, void (*)(void *, char *, tensor), int>("at_load_callback_with_device", &file[0], &sum, keep, -1);
  close_to("a tensor from a file", sum, 10);
  Stream *stream = new Stream();
  run<tensor *, char **, int, void *>("at_save_multi_to_stream", saved, names, 1, stream);
  sum = 0;
  run<void *, void *, void (*)(void *, char *, tensor), bool, int>("at_load_from_stream_callback", stream, &sum, keep, false, 0);
  close_to("a tensor from a stream", sum, 10);
}

int main(int count, char **arguments) {
  if (count != 4) fail("called with the wrong arguments");
  alarm(300);
  // libtorch as the host loads it. Of the shim every symbol must be there: one that is missing would end the process
  // at the call.
  if (!dlopen(arguments[1], RTLD_LAZY | RTLD_GLOBAL)) fail(dlerror());
  shim = dlopen(arguments[2], RTLD_NOW | RTLD_GLOBAL);
  if (!shim) fail(dlerror());
  run<int64_t>("at_manual_seed", 1);
  arithmetic();
  errors();
  training("SGD", call<void *, double, double, double, double, int>("ato_sgd", 0.005, 0.5, 0.0, 0.0, 0));
  training("Adam", call<void *, double, double, double, double, double, bool>("ato_adam", 0.1, 0.9, 0.999, 0.0, 1e-8, false));
  training("AdamW", call<void *, double, double, double, double, double, bool>("ato_adamw", 0.1, 0.9, 0.999, 0.0, 1e-8, false));
  fused();
  memory();
  network();
  files(arguments[3]);
  return 0;
}
