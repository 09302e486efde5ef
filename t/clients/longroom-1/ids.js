/**
 * Unique random names.
 */

/** @returns {string} 32 hexadecimal digits; randomUUID does not exist on plain http */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
