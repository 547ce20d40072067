"""Attendance: QR codes, check-in, corrections, devices and reports."""
