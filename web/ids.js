/**
 * Names that nobody else draws.
 */

/** @returns {string} 32 hexadecimal digits; randomUUID is not there on plain http */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
