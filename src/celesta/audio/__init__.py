"""Audio files: read, stream, write, resample; every sample finite, every length exact, flat memory."""

from celesta.audio._headers import AudioWarning
from celesta.audio._info import AudioInfo
from celesta.audio._tags import read_tags
from celesta.audio.folder import AUDIO_SUFFIXES, AudioFiles, Skipped, SkippedWarning, find_audio, find_files, walk
from celesta.audio.io import Audio, info, probe, read, stream, write
from celesta.audio.resample import Resampler, check_rate, resample, resampled_length
from celesta.audio.source import AudioSource
from celesta.audio.writer import Writer

__all__ = [
    "AUDIO_SUFFIXES",
    "Audio",
    "AudioFiles",
    "AudioInfo",
    "AudioSource",
    "AudioWarning",
    "Resampler",
    "Skipped",
    "SkippedWarning",
    "Writer",
    "check_rate",
    "find_audio",
    "find_files",
    "info",
    "probe",
    "read",
    "read_tags",
    "resample",
    "resampled_length",
    "stream",
    "walk",
    "write",
]
