// Honest opponents: each is the fastest JavaScript we could write for its work, and where a trick
// makes it faster than what one usually writes, the usual is here beside it.

import { blur } from "./blur.js";
import { blurPacked } from "./blur-packed.js";
import { blurSeparable } from "./blur-separable.js";
import { crc32, crc32SlicingBy8 } from "./crc32.js";
import { equal } from "./equal.js";
import { fibonacci } from "./fibonacci.js";
import { matmulF32, matmulF64 } from "./matmul.js";
import { preprocess } from "./preprocess.js";
import { resize } from "./resize.js";
import { sortJson, sortJsonByComparison, sortJsonToBytes, sortJsonToBytesByComparison } from "./sort-json.js";
import { sortJsonByScan, sortJsonToBytesByScan } from "./sort-scan.js";
import { sortRows, sortRowsByComparison } from "./sort-rows.js";

export {
  blur,
  blurPacked,
  blurSeparable,
  crc32,
  crc32SlicingBy8,
  equal,
  fibonacci,
  matmulF32,
  matmulF64,
  preprocess,
  resize,
  sortJson,
  sortJsonByComparison,
  sortJsonByScan,
  sortJsonToBytes,
  sortJsonToBytesByComparison,
  sortJsonToBytesByScan,
  sortRows,
  sortRowsByComparison,
};

/** All of them, for who chooses by name. */
export const rivals = {
  blur,
  blurPacked,
  blurSeparable,
  crc32,
  crc32SlicingBy8,
  equal,
  fibonacci,
  matmulF32,
  matmulF64,
  preprocess,
  resize,
  sortJson,
  sortJsonByComparison,
  sortJsonByScan,
  sortJsonToBytes,
  sortJsonToBytesByComparison,
  sortJsonToBytesByScan,
  sortRows,
  sortRowsByComparison,
};
