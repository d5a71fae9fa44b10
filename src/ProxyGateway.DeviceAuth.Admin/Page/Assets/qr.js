// QR codes (ISO/IEC 18004): bytes, error correction level L, which suits a screen.

const MOST_VERSION = 20;
const ECC_PER_BLOCK = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28];
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8];

/**
 * The modules of a QR code, row by row; true is dark.
 * @param {string} text At most some 800 bytes.
 * @param {number} [mask] Which of the eight masks; the one that reads best unless given.
 * @returns {boolean[][]}
 */
export function qrCode(text, mask) {
  const bytes = new TextEncoder().encode(text);
  const version = versionFor(bytes.length);
  const codewords = withCorrection(dataOf(bytes, version), version);
  const masks = mask === undefined ? [0, 1, 2, 3, 4, 5, 6, 7] : [mask];
  const codes = masks.map((m) => draw(codewords, version, m));
  return codes.reduce((best, code) => (penalty(code) < penalty(best) ? code : best));
}

function versionFor(length) {
  for (let version = 1; version <= MOST_VERSION; version++) {
    if (4 + (version < 10 ? 8 : 16) + 8 * length <= 8 * dataCodewords(version)) return version;
  }
  throw new RangeError("The text is too long for a QR code.");
}

function rawModules(version) {
  let modules = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const alignments = Math.floor(version / 7) + 2;
    modules -= (25 * alignments - 10) * alignments - 55;
    if (version >= 7) modules -= 36;
  }
  return modules;
}

function dataCodewords(version) {
  return Math.floor(rawModules(version) / 8) - ECC_PER_BLOCK[version - 1] * BLOCKS[version - 1];
}

function dataOf(bytes, version) {
  const bits = [];
  const put = (value, count) => {
    for (let i = count - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  put(4, 4); // bytes
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  const room = 8 * dataCodewords(version);
  put(0, Math.min(4, room - bits.length));
  put(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < room; pad ^= 0xec ^ 0x11) put(pad, 8);
  return Array.from({ length: bits.length / 8 }, (_, i) => bits.slice(8 * i, 8 * i + 8).reduce((byte, bit) => (byte << 1) | bit, 0));
}

/** The data in blocks, each with its error correction, interleaved. */
function withCorrection(data, version) {
  const blocks = BLOCKS[version - 1];
  const eccLength = ECC_PER_BLOCK[version - 1];
  const all = Math.floor(rawModules(version) / 8);
  const short = blocks - (all % blocks);
  const shortLength = Math.floor(all / blocks) - eccLength;
  const divisor = divisorOf(eccLength);
  const datas = [];
  for (let i = 0, at = 0; i < blocks; i++) {
    const length = shortLength + (i < short ? 0 : 1);
    datas.push(data.slice(at, at + length));
    at += length;
  }
  const eccs = datas.map((block) => remainderOf(block, divisor));
  const result = [];
  for (let i = 0; i <= shortLength; i++) for (const block of datas) if (i < block.length) result.push(block[i]);
  for (let i = 0; i < eccLength; i++) for (const ecc of eccs) result.push(ecc[i]);
  return result;
}

function multiply(x, y) { // in GF(2^8) modulo 0x11d
  let product = 0;
  for (let i = 7; i >= 0; i--) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((y >> i) & 1) * x);
  return product;
}

function divisorOf(degree) {
  const result = new Array(degree - 1).fill(0).concat(1);
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) result[j] = multiply(result[j], root) ^ (result[j + 1] ?? 0);
    root = multiply(root, 2);
  }
  return result;
}

function remainderOf(data, divisor) {
  const result = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ result.shift();
    result.push(0);
    divisor.forEach((coefficient, i) => (result[i] ^= multiply(coefficient, factor)));
  }
  return result;
}

function draw(codewords, version, mask) {
  const size = 17 + 4 * version;
  const modules = Array.from({ length: size }, () => new Array(size).fill(false));
  const fixed = Array.from({ length: size }, () => new Array(size).fill(false));
  const set = (x, y, isDark) => {
    if (x < 0 || y < 0 || x >= size || y >= size) return;
    modules[y][x] = isDark;
    fixed[y][x] = true;
  };

  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  for (const [cx, cy] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    for (let dy = -4; dy <= 4; dy++) {
      for (let dx = -4; dx <= 4; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        set(cx + dx, cy + dy, ring !== 2 && ring !== 4);
      }
    }
  }
  const places = alignmentPlaces(version);
  places.forEach((cy, i) => places.forEach((cx, j) => {
    const last = places.length - 1;
    if ((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0)) return;
    for (let dy = -2; dy <= 2; dy++) for (let dx = -2; dx <= 2; dx++) set(cx + dx, cy + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1);
  }));
  drawFormat(set, size, mask);
  drawVersion(set, size, version);

  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (fixed[y][x]) continue;
        const isDark = bit < 8 * codewords.length && ((codewords[bit >> 3] >> (7 - (bit & 7))) & 1) === 1;
        bit++;
        modules[y][x] = isDark !== isMasked(mask, x, y);
      }
    }
  }
  return modules;
}

function alignmentPlaces(version) {
  if (version === 1) return [];
  const number = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + number * 3 + 5) / (number * 4 - 4)) * 2;
  return [6, ...Array.from({ length: number - 1 }, (_, i) => 17 + 4 * version - 7 - step * (number - 2 - i))];
}

function drawFormat(set, size, mask) {
  const data = (1 << 3) | mask; // level L
  let rest = data;
  for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >> 9) * 0x537);
  const bits = ((data << 10) | rest) ^ 0x5412;
  const bit = (i) => ((bits >> i) & 1) === 1;
  for (let i = 0; i <= 5; i++) set(8, i, bit(i));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let i = 9; i < 15; i++) set(14 - i, 8, bit(i));
  for (let i = 0; i < 8; i++) set(size - 1 - i, 8, bit(i));
  for (let i = 8; i < 15; i++) set(8, size - 15 + i, bit(i));
  set(8, size - 8, true);
}

function drawVersion(set, size, version) {
  if (version < 7) return;
  let rest = version;
  for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >> 11) * 0x1f25);
  const bits = (version << 12) | rest;
  for (let i = 0; i < 18; i++) {
    const isDark = ((bits >> i) & 1) === 1;
    const a = size - 11 + (i % 3);
    const b = Math.floor(i / 3);
    set(a, b, isDark);
    set(b, a, isDark);
  }
}

function isMasked(mask, x, y) {
  switch (mask) {
    case 0: return (x + y) % 2 === 0;
    case 1: return y % 2 === 0;
    case 2: return x % 3 === 0;
    case 3: return (x + y) % 3 === 0;
    case 4: return (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0;
    case 5: return ((x * y) % 2) + ((x * y) % 3) === 0;
    case 6: return (((x * y) % 2) + ((x * y) % 3)) % 2 === 0;
    default: return (((x + y) % 2) + ((x * y) % 3)) % 2 === 0;
  }
}

/** How hard a code is to read: runs of one colour, squares of one colour, and too much of one. */
function penalty(modules) {
  const size = modules.length;
  let result = 0;
  let dark = 0;
  for (let y = 0; y < size; y++) {
    let across = 1;
    let down = 1;
    for (let x = 0; x < size; x++) {
      if (modules[y][x]) dark++;
      if (x === 0) continue;
      across = modules[y][x] === modules[y][x - 1] ? across + 1 : 1;
      down = modules[x][y] === modules[x - 1][y] ? down + 1 : 1;
      for (const run of [across, down]) result += run === 5 ? 3 : run > 5 ? 1 : 0;
      if (y > 0 && modules[y][x] === modules[y][x - 1] && modules[y][x] === modules[y - 1][x] && modules[y][x] === modules[y - 1][x - 1]) result += 3;
    }
  }
  return result + 10 * Math.floor(Math.abs((20 * dark) / (size * size) - 10));
}
