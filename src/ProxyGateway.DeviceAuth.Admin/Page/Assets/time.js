import { h } from "./dom.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const hourAndMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** How long ago it was, in a few letters; kept up to date while it is in the document. */
export function ago(time) {
  return timeElement(time, "ago");
}

/** How long it is until then; kept up to date while it is in the document. */
export function left(time) {
  return timeElement(time, "left");
}

/** The time of day, with the day if that is not today. */
export function moment(time) {
  const at = new Date(time);
  const isToday = day.format(at) === day.format(new Date());
  return h("time", { datetime: time, title: full.format(at) }, isToday ? clock.format(at) : dayAndClock.format(at));
}

/** The hour and minute, as text. */
export function clockOf(time) {
  return hourAndMinute.format(new Date(time));
}

/** Until when a grant holds: the day, and the time of day if it is near. */
export function end(time) {
  const at = new Date(time);
  const isNear = Math.abs(at - Date.now()) < 2 * DAY;
  return h("time", { datetime: time, title: full.format(at) }, isNear ? dayAndClock.format(at) : day.format(at));
}

/** Whether it is over. */
export function isPast(time) {
  return new Date(time) <= Date.now();
}

/** The time that lies so many hours ahead, as the gateway reads it. */
export function hoursAhead(hours) {
  return new Date(Date.now() + hours * HOUR).toISOString();
}

/** Keeps what `ago` and `left` say up to date. */
export function keepTime(ended) {
  const timer = setInterval(() => {
    for (const element of document.querySelectorAll("time[data-tells]")) tell(element);
  }, SECOND);
  ended.addEventListener("abort", () => clearInterval(timer));
}

function timeElement(time, tells) {
  const element = h("time", { datetime: time, title: full.format(new Date(time)), "data-tells": tells });
  tell(element);
  return element;
}

function tell(element) {
  const isAhead = element.dataset.tells === "left";
  const distance = (new Date(element.dateTime) - Date.now()) * (isAhead ? 1 : -1);
  const text = isAhead ? (distance <= 0 ? "now" : `in ${span(distance)}`) : (distance < 2 * SECOND ? "just now" : `${span(distance)} ago`);
  if (element.textContent !== text) element.textContent = text;
}

function span(duration) {
  if (duration < MINUTE) return `${Math.floor(duration / SECOND)} s`;
  if (duration < HOUR) return `${Math.floor(duration / MINUTE)} min`;
  if (duration < 2 * DAY) return `${Math.floor(duration / HOUR)} h`;
  return `${Math.floor(duration / DAY)} days`;
}
