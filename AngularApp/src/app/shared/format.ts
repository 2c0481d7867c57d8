const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(count: number): string {
  const power = count > 0 ? Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3)) : 0;
  const value = count / 1000 ** power;
  return `${power && value < 100 ? value.toPrecision(value < 10 ? 2 : 3).replace(/\.0$/, '') : Math.round(value)} ${UNITS[power]}`;
}

export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** A moment: the time of day, and the day where it is not today. */
export function clock(ms: number): string {
  const moment = new Date(ms);
  const time = moment.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
  const today = moment.toDateString() === new Date().toDateString();
  return today ? time : `${moment.toLocaleDateString('en', { day: 'numeric', month: 'short' })}, ${time}`;
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

export function money(usd: number): string {
  return usd === 0 ? '$0' : usd < 0.01 ? `$${usd.toFixed(1 - Math.floor(Math.log10(usd)))}` : `$${usd.toFixed(2)}`;
}

/** JSON as text with indentation; a text as it is. */
export function pretty(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}
