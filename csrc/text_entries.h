// The body of a Matrix Market file: lines "row column value" (1-based), or values alone, gathered and ordered by row.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis {

// What a line holds, and what is allowed in it.
struct EntryRules {
  enum Mirror { none = 0, same = 1, negated = 2 };  // what (row, column) says of (column, row)
  int64_t rows, columns;
  bool indices, value;      // a line without a value stands for 1
  bool whole, nonnegative;  // the values
  Mirror mirror;
};

// Entries in the order of their lines; a mirrored one follows its original.
struct EntryPiece {
  std::vector<int32_t> rows, columns;
  std::vector<double> values;
  int64_t all_lines = 0, lines = 0;  // lines: those that hold an entry
  std::string fault;               // what was expected and found in the last line, if it is wrong
};

class TextEntries {
 public:
  // `first_line`: the number of the body's first line, for messages.
  TextEntries(const EntryRules& rules, int64_t first_line) : rules_(rules), line_(first_line - 1) {}

  // Takes whole lines. Throws std::invalid_argument, naming the first line that is not as the rules say.
  void read(std::string_view lines, int threads);

  int64_t lines() const { return lines_; }  // those that hold an entry
  int64_t count() const { return count_; }  // with mirrored ones

  // The values alone, [count()], in the order of the file.
  void copy_values(double* values) const;

  // Hands the entries over as compressed rows: crow[rows + 1]; col and values[count()], ascending columns. Entries of one place
  // are added in the order of the file. Returns how many are left. count() must fit in 32 bits.
  int64_t to_rows(int32_t* crow, int32_t* col, double* values, int threads);

 private:
  EntryRules rules_;
  int64_t line_, lines_ = 0, count_ = 0;
  std::vector<EntryPiece> pieces_, scratch_;  // scratch: one per thread, whose memory is kept
};

}  // namespace tamis
