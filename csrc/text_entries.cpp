#include "text_entries.h"

#include <locale.h>
#include <stdlib.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "parallel.h"

namespace tamis {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

const char* skip_blanks(const char* at, const char* stop) {
  while (at != stop && is_blank(*at)) ++at;
  return at;
}

const char* word_end(const char* at, const char* stop) {
  while (at != stop && !is_blank(*at)) ++at;
  return at;
}

// from_chars knows no plus sign.
const char* skip_plus(const char* at, const char* stop) { return stop - at > 1 && *at == '+' && at[1] != '-' ? at + 1 : at; }

// What from_chars leaves: Fortran's exponents (1.0D+03), and numbers beyond double's range, which become infinity or 0.
bool parse_rare(const char* at, const char* stop, double& value) {
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  std::string word(at, stop);
  for (char& c : word)
    if (c == 'D' || c == 'd') c = 'e';
  char* end;
  value = strtod_l(word.c_str(), &end, c_locale);
  return end == word.c_str() + word.size();
}

std::string printable(const char* at, const char* stop) {
  std::string text(at, std::min<int64_t>(stop - at, 40));
  while (!text.empty() && is_blank(text.back())) text.pop_back();
  for (char& c : text)
    if (c < ' ' || c > '~') c = c == '\t' ? ' ' : '?';
  return text;
}

using Fault = std::invalid_argument;  // what was expected

bool is_word_end(const char* at, const char* stop) { return at == stop || is_blank(*at); }

int64_t index(const char*& at, const char* stop, const char* name, int64_t size) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(skip_plus(at, stop), stop, number);
  if (error != std::errc() || !is_word_end(end, stop) || number < 1 || number > size)
    throw Fault(std::string("a ") + name + " in 1.." + std::to_string(size));
  at = skip_blanks(end, stop);
  return number - 1;
}

double value(const char*& at, const char* stop, const EntryRules& rules) {
  double number = 0;
  const char* first = skip_plus(at, stop);
  auto [end, error] = std::from_chars(first, stop, number);
  if (error != std::errc() || !is_word_end(end, stop)) {
    const bool fortran = error == std::errc() && (*end == 'D' || *end == 'd');
    end = word_end(first, stop);
    if (!(fortran || error == std::errc::result_out_of_range) || !parse_rare(first, end, number)) throw Fault("a number as value");
  }
  if (rules.whole && !(number - std::floor(number) == 0)) throw Fault("a whole number as value");
  if (rules.nonnegative && number < 0) throw Fault("a value that is not negative");
  at = skip_blanks(end, stop);
  return number;
}

void parse_line(const char* at, const char* stop, const EntryRules& rules, EntryPiece& out) {
  if (at == stop) return;
  int64_t row = 0, column = 0;
  if (rules.indices) {
    row = index(at, stop, "row", rules.rows);
    column = index(at, stop, "column", rules.columns);
    if (rules.mirror == EntryRules::negated && row == column) throw Fault("no entry on the diagonal of a skew-symmetric matrix");
  }
  const double number = rules.value ? value(at, stop, rules) : 1.0;
  if (at != stop) throw Fault("the end of the line after " + std::to_string(2 * rules.indices + rules.value) + " numbers");
  ++out.lines;
  const bool mirrored = rules.mirror != EntryRules::none && row != column;
  if (rules.indices) {
    out.rows.push_back(static_cast<int32_t>(row));
    out.columns.push_back(static_cast<int32_t>(column));
    if (mirrored) {
      out.rows.push_back(static_cast<int32_t>(column));
      out.columns.push_back(static_cast<int32_t>(row));
    }
  }
  if (rules.value) {
    out.values.push_back(number);
    if (mirrored) out.values.push_back(rules.mirror == EntryRules::negated ? -number : number);
  }
}

void parse_lines(std::string_view text, const EntryRules& rules, EntryPiece& out) {
  out.rows.clear();
  out.columns.clear();
  out.values.clear();
  out.all_lines = out.lines = 0;
  out.fault.clear();
  const char *at = text.data(), *end = at + text.size();
  while (at != end) {
    const void* newline = memchr(at, '\n', static_cast<size_t>(end - at));
    const char* stop = newline ? static_cast<const char*>(newline) : end;
    ++out.all_lines;
    try {
      parse_line(skip_blanks(at, stop), stop, rules, out);
    } catch (const Fault& fault) {
      out.fault = std::string("expected ") + fault.what() + ", but found '" + printable(at, stop) + "'.";
      return;
    }
    at = newline ? stop + 1 : end;
  }
}

// Where piece `i` of `pieces` begins: behind the line end that follows an equal share.
size_t start_of_piece(std::string_view text, int64_t i, int64_t pieces) {
  if (i == 0) return 0;
  const size_t newline = text.find('\n', text.size() * static_cast<size_t>(i) / static_cast<size_t>(pieces));
  return newline == text.npos ? text.size() : newline + 1;
}

// Sorts one row by column and adds what falls on one place; returns how many are left.
int32_t tidy(int32_t* col, double* values, int32_t count) {
  if (std::adjacent_find(col, col + count, std::greater_equal<>()) == col + count) return count;
  std::vector<std::pair<int32_t, double>> row(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) row[static_cast<size_t>(i)] = {col[i], values[i]};
  std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  int32_t left = 0;
  for (const auto& [column, value] : row) {
    if (left > 0 && col[left - 1] == column) {
      values[left - 1] += value;
    } else {
      col[left] = column;
      values[left++] = value;
    }
  }
  return left;
}

}  // namespace

void TextEntries::read(std::string_view lines, int threads) {
  const size_t before = pieces_.size();
  pieces_.resize(before + static_cast<size_t>(threads));
  scratch_.resize(static_cast<size_t>(threads));
  parallel_for(threads, threads, [&](int64_t i, int) {
    const size_t start = start_of_piece(lines, i, threads), stop = start_of_piece(lines, i + 1, threads);
    EntryPiece& scratch = scratch_[static_cast<size_t>(i)];
    parse_lines(lines.substr(start, stop - start), rules_, scratch);
    pieces_[before + static_cast<size_t>(i)] = scratch;  // a copy holds no more than it needs
  });
  for (size_t i = before; i < pieces_.size(); ++i) {
    const EntryPiece& piece = pieces_[i];
    line_ += piece.all_lines;
    if (!piece.fault.empty()) throw std::invalid_argument("line " + std::to_string(line_) + ": " + piece.fault);
    lines_ += piece.lines;
    count_ += static_cast<int64_t>(rules_.value ? piece.values.size() : piece.rows.size());
  }
}

void TextEntries::copy_values(double* values) const {
  for (const EntryPiece& piece : pieces_) values = std::copy(piece.values.begin(), piece.values.end(), values);
}

int64_t TextEntries::to_rows(int32_t* crow, int32_t* col, double* values, int threads) {
  const std::vector<EntryPiece> pieces = std::move(pieces_);
  const int64_t rows = rules_.rows, share = 1 + rows / (4 * threads);
  std::fill(crow, crow + rows + 1, 0);
  for (const EntryPiece& piece : pieces)
    for (const int32_t row : piece.rows) ++crow[row + 1];
  for (int64_t row = 0; row < rows; ++row) crow[row + 1] += crow[row];
  std::vector<int32_t> ends(crow, crow + rows);
  for (const EntryPiece& piece : pieces)
    for (size_t i = 0; i < piece.rows.size(); ++i) {
      const int32_t place = ends[static_cast<size_t>(piece.rows[i])]++;
      col[place] = piece.columns[i];
      values[place] = rules_.value ? piece.values[i] : 1.0;
    }
  parallel_for((rows + share - 1) / share, threads, [&](int64_t unit, int) {
    for (int64_t row = unit * share; row < std::min(rows, (unit + 1) * share); ++row)
      ends[row] = crow[row] + tidy(col + crow[row], values + crow[row], ends[row] - crow[row]);
  });
  int32_t left = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int32_t first = crow[row], kept = ends[row] - first;
    if (left != first) {
      std::copy(col + first, col + first + kept, col + left);
      std::copy(values + first, values + first + kept, values + left);
    }
    crow[row] = left;
    left += kept;
  }
  crow[rows] = left;
  return left;
}

}  // namespace tamis
