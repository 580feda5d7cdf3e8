// Decode: the values of the page. pool.py wrote them: equal values have one number, and here are one object, so `===` tells whether something changed.

const written = JSON.parse(document.getElementById("recording").textContent);
const decoded = new Array(written.entries.length);

function decode(number) {
  const entry = written.entries[number];
  if (!Array.isArray(entry)) return entry;
  if (decoded[number] !== undefined) return decoded[number];
  const [head, ...numbers] = entry;
  let value;
  if (head === 0) value = numbers.map(decode);
  else if (head === -1) value = numbers.flatMap(decode);
  else {
    const keys = written.shapes[head - 1];
    value = Object.create(null);
    numbers.forEach((one, place) => (value[keys[place]] = decode(one)));
  }
  return (decoded[number] = value);
}

const recorded = decode(written.root);
