// SpMM with 8-bit weights and activations: C = act(row_scale * (A @ levels(B)) + bias), whole-number sums.
//
// A holds quads, four weights side by side in a row. A step multiplies one quad of each of four rows with the same four
// columns of every token of the panel: one dot-product instruction per vector of tokens. First all tokens become levels
// (quantize_tokens.h), panel by panel as the product reads them; then units of panels and parts of rows are computed, with
// the sums of a group in registers over the whole of K.
#include "dot8.h"
#include "quantize_tokens.h"
#include "spmm_panels.h"

namespace tamis::TAMIS_ISA {
namespace {

constexpr int quad = 4;

// A row of C needs its weights' sum, since x ~ low + step * level: it is taken along, one instruction a step.
template <class Id, int ids, int nv> struct Int8Group {
  Dot8::Int acc[4][nv];
  StepWeights::Sums weights;

  TAMIS_INLINE void begin() {
    weights = StepWeights::zero();
    TAMIS_UNROLL
    for (int r = 0; r < 4; ++r)
      TAMIS_UNROLL
      for (int v = 0; v < nv; ++v) acc[r][v] = Dot8::zero();
  }

  template <int row> TAMIS_INLINE void add_row(Dot8::Int w, const uint8_t* levels) {
    const Dot8::Int value = Dot8::pick<row>(w);
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) acc[row][v] = Dot8::add(acc[row][v], Dot8::load(levels + v * quad * Vec::width), value);
  }

  TAMIS_INLINE void step(const Id* columns, const int8_t* values, const uint8_t* quads) {
    constexpr int64_t stride = nv * Vec::width * quad;
    const StepWeights w = StepWeights::load(values);
    weights = w.add_to(weights);
    const Dot8::Int four = Dot8::repeat_four(w.four);
    Id at[ids];
    __builtin_memcpy(at, columns, sizeof at);
    add_row<0>(four, quads + at[0] * stride);
    add_row<1>(four, quads + at[1 % ids] * stride);
    add_row<2>(four, quads + at[2 % ids] * stride);
    add_row<3>(four, quads + at[3 % ids] * stride);
  }

  // As float32: the product of the weights with the activations that the levels stand for.
  TAMIS_INLINE void end(const SpmmGroup& group, const float* steps, const float* lows, float* sums) const {
    constexpr int stride = nv * Vec::width;
    int32_t row_weights[4];
    StepWeights::store(row_weights, weights);
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) {
      const Vec step = Vec::load(steps + v * Vec::width), low = Vec::load(lows + v * Vec::width);
      TAMIS_UNROLL
      for (int r = 0; r < 4; ++r) {
        const Vec offset = low * Vec::broadcast(static_cast<float>(row_weights[r]));
        fma(Dot8::to_float(acc[r][v]), step, offset).store(sums + group.rows[r] * stride + v * Vec::width);
      }
    }
  }
};

template <class Id, int ids, int nv>
void int8_part(const SpmmPacked& a, const int8_t* values, int64_t part, const uint8_t* quads, const float* steps,
               const float* lows, float* sums) {
  const int64_t(&here)[2] = a.blocks[part];
  const auto* columns = static_cast<const Id*>(a.ids) + here[1] * ids;
  const int8_t* w = values + here[1] * 4 * quad;
  for (int64_t g = here[0]; g < a.blocks[part + 1][0]; ++g) {
    const SpmmGroup& group = a.groups[g];
    Int8Group<Id, ids, nv> sums_of;
    sums_of.begin();
    for (int32_t s = 0; s < group.steps; ++s, columns += ids, w += 4 * quad) sums_of.step(columns, w, quads);
    sums_of.end(group, steps, lows, sums);
  }
}

template <int nv> auto int8_part_for(const SpmmInt8Call& call) {
  if (call.shared_ids) return call.a.wide_ids ? &int8_part<uint16_t, 1, nv> : &int8_part<uint8_t, 1, nv>;
  return call.a.wide_ids ? &int8_part<uint16_t, 4, nv> : &int8_part<uint8_t, 4, nv>;
}

// The tokens of a slab as levels: quads [tokens, k] in panels, then a step and a low per token.
struct Levels {
  uint8_t* quads;
  float *steps, *lows;
  int64_t vectors, panels;

  explicit Levels(const SpmmInt8Call& call) : quads(call.levels), vectors((call.n + Vec::width - 1) / Vec::width) {
    // Four vectors wide where a panel then is not much larger than L1, else two.
    const int64_t widest = call.a.k * quad > 768 ? 2 : panel_vectors;
    panels = (vectors + widest - 1) / widest;
    steps = reinterpret_cast<float*>(quads + vectors * Vec::width * call.a.k * quad);
    lows = steps + vectors * Vec::width;
  }
  // Panels as equal as can be.
  int64_t first_vector(int64_t panel) const {
    const int64_t narrow = vectors / panels, wide_panels = vectors % panels;
    return panel * narrow + (panel < wide_panels ? panel : wide_panels);
  }
};

template <class T> void quantize_panel(const SpmmInt8Call& call, const Levels& levels, int64_t vector) {
  int64_t panel = 0;
  while (levels.first_vector(panel + 1) <= vector) ++panel;
  const int64_t first = levels.first_vector(panel), stride = (levels.first_vector(panel + 1) - first) * Vec::width * quad;
  const int64_t token = vector * Vec::width, k = call.a.k * quad;
  const int64_t count = call.n - token < Vec::width ? call.n - token : Vec::width;
  auto* scratch = static_cast<uint8_t*>(thread_scratch((k + 63) / 64 * 64 * Vec::width));
  quantize_tokens<T>(static_cast<const typename T::type*>(call.b) + token * call.ldb, call.ldb, count, k, scratch,
                     levels.quads + first * Vec::width * k + (vector - first) * Vec::width * quad, stride,
                     levels.steps + token, levels.lows + token);
}

template <class T, int nv> void int8_unit(const SpmmInt8Call& call, const Levels& levels, const Unit& unit) {
  if constexpr (nv > 0) {
    if (unit.vectors != nv) return int8_unit<T, nv - 1>(call, levels, unit);
    using P = Panel<nv>;
    auto* sums = static_cast<float*>(thread_scratch((call.a.part_rows + 1) * P::stride * static_cast<int64_t>(sizeof(float))));
    const int64_t token = unit.first_vector * Vec::width, left = call.n - token;
    const auto part_body = int8_part_for<nv>(call);
    for (int64_t part = unit.first_part; part < unit.end_part; ++part) {
      part_body(call.a, static_cast<const int8_t*>(call.values), part, levels.quads + token * call.a.k * quad,
                levels.steps + token, levels.lows + token, sums);
      const P panel{call, part, part + 1, token, static_cast<int>(left < P::stride ? left : P::stride), nullptr, sums, nullptr};
      panel.template store_transposed<T>(part);
    }
  }
}

template <class T> void run_slab(const SpmmInt8Call& call) {
  const Levels levels(call);
  const int64_t parts = (call.a.m + call.a.part_rows - 1) / call.a.part_rows;
  if (parts == 0 || levels.vectors == 0) return;
  parallel_for(levels.vectors, call.threads, [&](int64_t vector, int) { quantize_panel<T>(call, levels, vector); });
  const int64_t taken = parts_of_unit(levels.panels, parts, call.a.part_rows, call.threads);
  const int64_t ranges = (parts + taken - 1) / taken;
  parallel_for(levels.panels * ranges, call.threads, [&](int64_t unit, int) {
    const int64_t panel = unit / ranges, first_part = unit % ranges * taken, first = levels.first_vector(panel);
    const int64_t end_part = first_part + taken < parts ? first_part + taken : parts;
    const int vectors = static_cast<int>(levels.first_vector(panel + 1) - first);
    int8_unit<T, panel_vectors>(call, levels, {first, first_part, end_part, vectors});
  });
}

template <class T> void run_int8(const SpmmInt8Call& call) {
  for (int64_t token = 0; token < call.n; token += int8_slab) {
    SpmmInt8Call slab = call;
    slab.n = call.n - token < int8_slab ? call.n - token : int8_slab;
    slab.b = static_cast<const typename T::type*>(call.b) + token * call.ldb;
    slab.c = static_cast<typename T::type*>(call.c) + token * call.ldc;
    run_slab<T>(slab);
  }
}

void spmm_int8(const SpmmInt8Call& call) {
  with_element(call.element, [&](auto element) { run_int8<decltype(element)>(call); });
}

}  // namespace

extern const Int8Kernel int8_kernel;
const Int8Kernel int8_kernel = {spmm_int8, Dot8::highest_level};

}  // namespace tamis::TAMIS_ISA
