/**
 * Parses a stream of events (text/event-stream, HTML standard section 9.2), piece by
 * piece. What the events mean is for stream.js to say.
 *
 * Pieces may end anywhere: within a line, between CR and LF. An event that is not
 * complete when the stream ends was never sent.
 */

const LONGEST = 32 * 1024 * 1024;   // characters of an incomplete event: no page is larger

export class EventParser {
  /** What the server last asked to wait before the next attempt, or null. */
  retryMs = null;
  #line = '';          // the beginning of one
  #endedByCr = false;  // then a LF belongs to the line before
  #data = [];
  #size = 0;
  #type = '';
  #id = '';            // of the last event that had one

  /**
   * @param {string} text  the next piece
   * @returns {{type: string, data: string, id: string}[]} the events that end in it
   * @throws {RangeError} if an event is longer than any that a server sends
   */
  push(text) {
    const events = [];
    if (text === '') return events;
    const rest = this.#endedByCr && text.startsWith('\n') ? text.slice(1) : text;
    this.#endedByCr = text.endsWith('\r');
    const lines = rest.split(/\r\n|\r|\n/);
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop();
    for (const line of lines) {
      const event = line === '' ? this.#dispatch() : this.#take(line);
      if (event) events.push(event);
    }
    if (this.#line.length + this.#size > LONGEST) throw new RangeError('an event is too long');
    return events;
  }

  #dispatch() {
    const event = { type: this.#type || 'message', data: this.#data.join('\n'), id: this.#id };
    const sent = this.#data.length > 0;
    this.#data = [];
    this.#size = 0;
    this.#type = '';
    return sent ? event : null;
  }

  #take(line) {
    const [, field, value = ''] = /^([^:]*)(?:: ?([^]*))?$/.exec(line);
    if (field === 'data') this.#addData(value);
    else if (field === 'event') this.#type = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
    return null;
  }

  #addData(value) {
    this.#data.push(value);
    this.#size += value.length;
  }
}
