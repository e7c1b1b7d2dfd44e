// Small parts that all views use.
import type { ComponentChildren } from "preact";
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { cancel, jobs } from "../api";
import { clock, percent } from "../format";
import { command, dismiss, fail, messages, say } from "../state";
import { Icon } from "./icons";

export function Command() {
  const text = command.value;
  if (!text) return null;
  const copy = () => navigator.clipboard.writeText(text).then(() => say("Copied."), fail);
  return (
    <div class="command">
      <span class="command-name" id="command-name">
        Same in the terminal
      </span>
      <code tabIndex={0} aria-labelledby="command-name">
        {text}
      </code>
      <button class="quiet" onClick={copy} aria-label="Copy the command line">
        <Icon name="copy" />
      </button>
    </div>
  );
}

export function Empty({ title, children, action }: { title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <svg viewBox="0 0 64 32" width="96" height="48" aria-hidden="true">
        <path d="M4 12v8M12 6v20M20 10v12M28 2v28M36 8v16M44 12v8M52 5v22M60 13v6" />
      </svg>
      <h2>{title}</h2>
      {children && <div class="empty-text">{children}</div>}
      {action}
    </div>
  );
}

/** Jobs that a view shows itself, so that the corner need not. */
const inView = signal<string[]>([]);

export function JobBar({ id, label }: { id: string; label?: string }) {
  useEffect(() => {
    if (!label) return;
    inView.value = [...inView.value, id];
    return () => {
      inView.value = inView.value.filter((one) => one !== id);
    };
  }, [id]);
  const job = jobs.value.get(id);
  if (!job || !["waiting", "running"].includes(job.state)) return null;
  const name = label ?? job.title;
  return (
    <div class="job" role="group" aria-label={name}>
      <div class="job-line">
        <span class="job-title">{name}</span>
        <span class="muted number">
          {job.state === "waiting" ? "waiting" : job.share === null ? "" : percent(job.share)}
          {job.left !== null && job.left > 1 ? `, ${clock(job.left, 0)} left` : ""}
        </span>
        <button class="quiet small" onClick={() => cancel(id).catch(fail)}>
          Cancel
        </button>
      </div>
      <progress max={1} value={job.share ?? undefined} aria-label={name} />
      {job.note && <div class="muted small-text">{job.note}</div>}
    </div>
  );
}

/** Jobs and messages in the corner. */
export function Corner() {
  const running = [...jobs.value.values()].filter((one) => ["waiting", "running"].includes(one.state) && !inView.value.includes(one.id));
  return (
    <div class="corner">
      {running.map((one) => (
        <div class="toast" key={one.id}>
          <JobBar id={one.id} />
        </div>
      ))}
      <div aria-live="polite" role="status">
        {messages.value.map((one) => (
          <div class={`toast ${one.kind}`} key={one.id}>
            <span>{one.text}</span>
            <button class="quiet" aria-label="Close this message" onClick={() => dismiss(one.id)}>
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
    </div>
  );
}

export function Switch({ on, label, change, title }: { on: boolean; label: string; change: (on: boolean) => void; title?: string }) {
  return (
    <label class="switch" title={title}>
      <input type="checkbox" role="switch" checked={on} onChange={(event) => change(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  text?: string;
  help?: string;
  disabled?: boolean;
  input: (value: number) => void;
  done?: (value: number) => void;
}

export function Slider({ label, value, min, max, step, text, help, disabled, input, done }: SliderProps) {
  const share = ((value - min) / (max - min || 1)) * 100;
  return (
    <label class="slider">
      <span class="slider-head">
        <span>{label}</span>
        <output class="number">{text ?? value}</output>
      </span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        disabled={disabled}
        aria-valuetext={text}
        title={help}
        style={{ "--share": `${Math.min(100, Math.max(0, share))}%` }}
        onInput={(event) => input(event.currentTarget.valueAsNumber)}
        onChange={(event) => done?.(event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

export function Menu({ label, options, choose, icon }: { label: string; options: { id: string; name: string }[]; choose: (id: string) => void; icon?: string }) {
  const [open, setOpen] = useState(false);
  const close = (event: FocusEvent) => {
    if (!(event.currentTarget as HTMLElement).contains(event.relatedTarget as Node)) setOpen(false);
  };
  return (
    <div class="menu" onFocusOut={close} onKeyDown={(event) => event.key === "Escape" && setOpen(false)}>
      <button aria-haspopup="true" aria-expanded={open} onClick={() => setOpen(!open)}>
        {icon && <Icon name={icon} />}
        {label}
      </button>
      {open && (
        <div class="menu-list" role="group" aria-label={label}>
          {options.map((one) => (
            <button
              key={one.id}
              class="quiet"
              onClick={() => {
                setOpen(false);
                choose(one.id);
              }}
            >
              {one.name}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
