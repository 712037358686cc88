#!/usr/bin/env python3
"""The demo's events: two days of the bundled card transactions, and beside them made-up transfers, logins, account changes, orders, clicks and gift cards, with planted
frauds. A pure function of the seed and the bundled data.

    generate.py FOLDER [--seed N]    writes one JSON lines file for each stream, and planted.json
"""
import argparse
import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STREAMS = ("payments", "transfers", "logins", "account_changes", "orders", "clicks", "gift_cards")
START = datetime(2025, 11, 19, tzinfo=timezone.utc)
DAYS = ("2025-11-19", "2025-11-20")
SPAN_S = 2 * 86400
CASES = 3  # of each rule
COUNTRIES = ("FR", "DE", "ES", "IT", "NL", "PL", "SE", "GB")
MINUTE, HOUR, DAY = 60, 3600, 86400


class Money(str):
    """An amount: written as a JSON number with its two places."""


def to_json(event):
    return "{" + ",".join(json.dumps(key) + ":" + (value if isinstance(value, Money) else json.dumps(value)) for key, value in event.items()) + "}"


def money(amount):
    return Money("%.2f" % amount)


class Scenario:
    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.events = []   # (seconds since START, stream, event)
        self.planted = []  # {"rule", "id", "due": seconds since START at which the alert can be known}
        self.frauds = {}   # card -> time of its first labelled fraud
        self.count = 0
        self.number = 9000

    # ---- events ----

    def put(self, stream, at, **fields):
        self.count += 1
        stamp = (START + timedelta(milliseconds=round(at * 1000))).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        key = {"payments": "payment_id", "transfers": "transfer_id", "logins": "login_id", "account_changes": "change_id", "orders": "event_id",
               "clicks": "click_id", "gift_cards": "event_id"}[stream]
        event = {key: "%s%d" % (stream[0], self.count), **fields, "ts": stamp}
        self.events.append((at, stream, event))

    def pay(self, at, card, amount, outcome="approved", **fields):
        self.put("payments", at, card_id=card, amount=money(amount), outcome=outcome, **fields)

    def transfer(self, at, account, direction, amount, counterparty, method="wire"):
        self.put("transfers", at, account_id=account, direction=direction, counterparty=counterparty, method=method, amount=money(amount))

    def login(self, at, user, outcome="success", **fields):
        self.put("logins", at, user_id=user, outcome=outcome, **fields)

    def change(self, at, user, what, **fields):
        self.put("account_changes", at, user_id=user, change=what, **fields)

    def order(self, at, order, user, status, amount=40, **fields):
        self.put("orders", at, order_id=order, user_id=user, status=status, amount=money(amount), **fields)

    def click(self, at, ip, ad, what="click"):
        self.put("clicks", at, ip=ip, ad=ad, what=what)

    def gift(self, at, gift, user, what, **fields):
        self.put("gift_cards", at, gift_id=gift, user_id=user, what=what, amount=money(50), **fields)

    def fresh(self, prefix):
        self.number += 1
        return "%s%d" % (prefix, self.number)

    def plant(self, rule, ident, due):
        self.planted.append({"rule": rule, "id": ident, "due": due})

    # ---- honest events ----

    def cards(self):
        pattern = "|".join("^[0-9]+,%sT" % day for day in DAYS)
        shell = "zstd -dc '%s' | grep -E '%s'" % (os.path.join(ROOT, "data", "transactions.csv.zst"), pattern)
        text = subprocess.run(["sh", "-c", shell], check=True, capture_output=True, text=True).stdout
        import csv
        for row in csv.reader(text.splitlines()):
            tx, stamp, card, merchant, category, amount, lat, lon, fraud = row
            at = (datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc) - START).total_seconds()
            n = int(card[1:])
            self.put("payments", at, card_id=card, bin="4%05d" % (n % 40), merchant=merchant, category=category, amount=Money(amount), outcome="approved",
                     card_present=not category.endswith("_net"), lat=float(lat), lon=float(lon), ip="10.0.%d.%d" % (n // 250, n % 250 + 1))
            if fraud == "1":
                self.frauds.setdefault(card, at)

    def habits(self):
        r = self.random
        for user in ("u%04d" % n for n in range(1, 301)):
            home = COUNTRIES[int(user[1:]) % len(COUNTRIES)]
            for _ in range(r.randint(1, 5)):
                at = r.uniform(0, SPAN_S)
                device, ip = "d-" + user, "172.16.%d.%d" % divmod(int(user[1:]), 250)
                for miss in range(r.choice((0, 0, 0, 1, 2))):
                    self.login(at - 20 + 8 * miss, user, "failure", device_id=device, device_known=True, ip=ip, country=home)
                self.login(at, user, device_id=device, device_known=True, ip=ip, country=home)
                if r.random() < 0.5:
                    self.transfer(at + 60, user, "out", r.uniform(5, 400), "shop%d" % r.randint(1, 40))
                if r.random() < 0.2:
                    self.change(at + 30, user, "otp_request")
                    self.change(at + 50, user, "otp_verified")
            if r.random() < 0.3:
                self.transfer(r.uniform(0, SPAN_S), user, "in", r.uniform(500, 3000), "employer%d" % r.randint(1, 20))
            if r.random() < 0.05:
                self.change(r.uniform(0, SPAN_S), user, r.choice(("address", "phone")), device_known=True)
            for _ in range(r.randint(0, 3)):
                at, order = r.uniform(0, SPAN_S - HOUR), self.fresh("o")
                amount = r.uniform(10, 250)
                self.order(at, order, user, "placed", amount, country=home, device_id="d-" + user)
                self.order(at + r.uniform(30, 1500), order, user, "paid" if r.random() < 0.95 else "cancelled", amount)
                if r.random() < 0.05:
                    self.order(at + 1700, order, user, "refunded", amount)

    # ---- planted frauds: each returns (id, seconds after `at` at which the alert is due) ----

    def card_testing(self, at):
        ip = "203.0.113.%d" % (self.number % 200 + 1)
        for n in range(6):
            self.pay(at + 40 * n, self.fresh("t"), 1 + n / 10, "declined" if n % 2 else "approved", ip=ip, merchant="Donations")
        return ip, 40 * 4

    def test_then_hit(self, at):
        card = self.fresh("k")
        for n in range(3):
            self.pay(at + 60 * n, card, 0.5 + n / 4, merchant="Parking")
        self.pay(at + 600, card, 480, merchant="Jeweller")
        return card, 600

    def declines_then_approval(self, at):
        card = self.fresh("k")
        for n in range(4):
            self.pay(at + 50 * n, card, 75, "declined", merchant="Electronics")
        self.pay(at + 260, card, 75, merchant="Electronics")
        return card, 260

    def bin_attack(self, at):
        merchant = self.fresh("Webshop ")
        for n in range(12):
            self.pay(at + 15 * n, self.fresh("g"), 20, "declined", merchant=merchant, bin="455555")
        return merchant, 15 * 9

    def expiry_enumeration(self, at):
        card = self.fresh("k")
        for n in range(10):
            self.pay(at + 30 * n, card, 1, "declined", expiry="%02d/28" % (n + 1), merchant="Streaming")
        return card, 270

    def card_velocity(self, at):
        card = self.fresh("k")
        for n in range(12):
            self.pay(at + 20 * n, card, 15, merchant="Arcade")
        return card, 200

    def payee_sum(self, at):
        account = self.fresh("u")
        for n in range(4):
            self.transfer(at + HOUR * n, account, "out", 6500, "offshore")
        return account, 3 * HOUR

    def repeat_large_at_merchant(self, at):
        card = self.fresh("k")
        for n in range(3):
            self.pay(at + 5 * HOUR * n, card, 1500 + n, merchant="Terminal 7")
        return card, 10 * HOUR

    def impossible_travel(self, at):
        card = self.fresh("k")
        self.pay(at, card, 30, card_present=True, lat=42.36, lon=-71.06, merchant="Boston Diner")
        self.pay(at + HOUR, card, 60, card_present=True, lat=51.51, lon=-0.13, merchant="London Books")
        return card, HOUR

    def three_countries(self, at):
        user = self.fresh("u")
        for n, country in enumerate(("FR", "BR", "US")):
            order = self.fresh("o")
            self.order(at + 30 * n, order, user, "placed", country=country)
            self.order(at + 30 * n + 20, order, user, "paid")
        return user, 60

    def country_change_cash_out(self, at):
        user = self.fresh("u")
        self.login(at, user, country="FR", device_known=True, ip="198.51.100.20")
        self.login(at + 240, user, country="BR", device_known=True, ip="198.51.100.21")
        self.transfer(at + 400, user, "out", 1400, "cash")
        return user, 400

    def account_takeover(self, at):
        user = self.fresh("u")
        self.change(at, user, "password_reset", device_known=True)
        self.login(at + 300, user, device_known=False, country="FR", ip="198.51.100.30")
        self.change(at + 420, user, "payee_added")
        self.transfer(at + 500, user, "out", 4200, "new payee")
        return user, 500

    def brute_force(self, at):
        user = self.fresh("u")
        for n in range(6):
            self.login(at + 8 * n, user, "failure", ip="198.51.100.%d" % (40 + n), country="FR")
        self.login(at + 60, user, ip="198.51.100.46", country="FR", device_known=True)
        return user, 60

    def credential_stuffing(self, at):
        ip = "192.0.2.%d" % (self.number % 200 + 1)
        for n in range(8):
            self.login(at + 5 * n, self.fresh("u"), "failure", ip=ip)
        self.login(at + 60, self.fresh("u"), ip=ip, device_known=True)
        return ip, 60

    def mfa_fatigue(self, at):
        user = self.fresh("u")
        for n in range(5):
            self.login(at + 40 * n, user, "push_denied" if n % 2 else "push_ignored")
        self.login(at + 240, user, "push_accepted")
        return user, 240

    def otp_bombing(self, at):
        user = self.fresh("u")
        for n in range(6):
            self.change(at + 15 * n, user, "otp_request")
        return user, 75 + 5 * MINUTE

    def sim_swap(self, at):
        user = self.fresh("u")
        self.change(at, user, "sim_change")
        self.login(at + HOUR, user, device_known=True, country="FR")
        self.transfer(at + 2 * HOUR, user, "out", 900, "crypto")
        return user, 2 * HOUR

    def contact_change_payout(self, at):
        user = self.fresh("u")
        self.change(at, user, self.random.choice(("phone", "email", "address")), device_known=True)
        self.transfer(at + 5 * HOUR, user, "out", 1200, "broker")
        return user, 5 * HOUR

    def new_device_credentials(self, at):
        user = self.fresh("u")
        self.change(at, user, "password_change", device_known=False)
        self.change(at + 900, user, "email", device_known=False)
        return user, 900

    def new_device_abroad(self, at):
        user = self.fresh("u")
        self.login(at, user, device_known=False, country="BR", ip="198.51.100.70")
        return user, 0

    def remote_access_elder(self, at):
        user = self.fresh("u")
        self.change(at, user, "remote_tool")
        self.transfer(at + 1200, user, "out", 980, "support")
        return user, 1200

    def payee_change_fraud(self, at):
        vendor = self.fresh("u")
        self.change(at, vendor, "iban")
        self.transfer(at + 9 * HOUR, vendor, "out", 18500, "vendor")
        return vendor, 9 * HOUR

    def disposable_signup(self, at):
        user = self.fresh("u")
        self.change(at, user, "signup", email="x%s@0-mail.com" % user)
        order = self.fresh("o")
        self.order(at + 600, order, user, "placed", 180, country="FR")
        self.order(at + 700, order, user, "paid", 180)
        return user, 600

    def shared_device(self, at):
        device = self.fresh("d")
        for n in range(4):
            self.login(at + HOUR * n, self.fresh("u"), device_id=device, device_known=True, country="FR")
        return device, 3 * HOUR

    def mule_in_and_out(self, at):
        account = self.fresh("u")
        self.transfer(at, account, "in", 3000, "victim")
        for n in range(3):
            self.transfer(at + 1800 * (n + 1), account, "out", 940, "atm%d" % n)
        return account, 5400

    def micro_deposits(self, at):
        account = self.fresh("u")
        for n in range(3):
            self.transfer(at + 600 * n, account, "in", 0.11 + n / 100, "probe")
        self.transfer(at + 4 * HOUR, account, "out", 760, "drain")
        return account, 4 * HOUR

    def fan_in(self, at):
        account = self.fresh("u")
        for n in range(5):
            self.transfer(at + 1500 * n, account, "in", 250, "victim%d" % n)
        return account, 6000

    def volume_jump(self, at):
        self.outlets = getattr(self, "outlets", 0) + 1
        merchant, day = "Outlet %d" % self.outlets, at - at % DAY
        for n in range(1, 9):
            for hour in (10, 16):
                self.pay(day - n * DAY + hour * HOUR, "ko%d-%d-%d" % (self.outlets, n, hour), 150, merchant=merchant)
        for n in range(30):
            self.pay(day + 8 * HOUR + 900 * n, "ko%d-%d" % (self.outlets, n), 210, merchant=merchant)
        return merchant, day + DAY - at

    def structuring(self, at):
        account = self.fresh("u")
        for n in range(3):
            self.transfer(at + 2 * HOUR * n, account, "in", 9100 + 300 * n, "branch", "cash")
        return account, 4 * HOUR

    def dormant_account(self, at):
        account = self.fresh("u")
        self.transfer(-100 * DAY + self.number, account, "in", 20, "interest")
        self.transfer(at, account, "out", 2300, "buyer")
        return account, 0

    def fan_out_to_exchanges(self, at):
        account = self.fresh("u")
        for n in range(5):
            self.transfer(at + 400 * n, account, "out", 180, "exchange%d" % (n + 3))
        return account, 1600

    def country_hop(self, at):
        user = self.fresh("u")
        self.login(at, user, country="FR", device_known=True)
        self.login(at + 900, user, country="US", device_known=True)
        return user, 900

    def ticket_outlier(self, at):
        card = self.fresh("k")
        self.pay(at, card, 950, merchant="Flower Stand")
        return card, 0

    def merchant_bust_out(self, at):
        self.stores = getattr(self, "stores", 0) + 1
        merchant = "Popup Store %d" % self.stores
        for n in range(5):
            self.pay(at + 1200 * n, self.fresh("k"), 1400, merchant=merchant)
        return merchant, 3600

    def refund_abuse(self, at):
        user = self.fresh("u")
        for n in range(3):
            order = self.fresh("o")
            self.order(at + HOUR * n, order, user, "placed", 90, country="FR")
            self.order(at + HOUR * n + 300, order, user, "paid", 90)
            self.order(at + HOUR * n + 1800, order, user, "refunded", 90)
        return user, 2 * HOUR + 1800

    def promo_abuse(self, at):
        device = self.fresh("d")
        for n in range(3):
            order, user = self.fresh("o"), self.fresh("u")
            self.order(at + 1000 * n, order, user, "placed", 25, country="FR", device_id=device, promo="WELCOME")
            self.order(at + 1000 * n + 60, order, user, "paid", 25)
        return device, 2000

    def order_never_paid(self, at):
        order = self.fresh("o")
        self.order(at, order, self.fresh("u"), "placed", 130, country="FR")
        return order, 30 * MINUTE

    def rapid_movement(self, at):
        account = self.fresh("u")
        for n in range(10):
            self.transfer(at + 3000 * n, account, "out" if n % 2 else "in", 2150, "trade%d" % n)
        return account, 27000

    def circular_payments(self, at):
        first, second, third = self.fresh("u"), self.fresh("u"), self.fresh("u")
        for n, (payer, payee) in enumerate(((first, second), (second, third), (third, first))):
            self.transfer(at + 2 * HOUR * n, payer, "out", 1900 - 10 * n, payee)
        return first, 4 * HOUR

    def bin_decline_ratio(self, at):
        self.shops = getattr(self, "shops", 0) + 1
        merchant = "Ticket Shop %d" % self.shops
        for n in range(22):
            self.pay(at + 20 * n, self.fresh("k"), 1, "approved" if n in (5, 11) else "declined", merchant=merchant, bin="545454")
        return merchant, 420

    def refund_ratio(self, at):
        user = self.fresh("u")
        for n in range(4):
            order = self.fresh("o")
            self.order(at + HOUR * n, order, user, "placed", 90, country="FR")
            self.order(at + HOUR * n + 300, order, user, "paid", 90)
            self.order(at + HOUR * n + 1800, order, user, "refunded", 90)
        return user, 3 * HOUR + 1800

    def unusual_amount(self, at):
        card = self.fresh("k")
        for n in range(24):
            self.pay(at + 900 * n, card, 40 + n % 7, merchant="Canteen %d" % n)
        self.pay(at + 900 * 24, card, 650, merchant="Watches")
        return card, 900 * 24

    def unconfirmed_foreign_card(self, at):
        card = self.fresh("k")
        self.pay(at, card, 240, bin="520000", card_present=False, ip_country="FR", merchant="Handbags")
        return card, 10 * MINUTE

    def click_fraud(self, at):
        ip = "203.0.113.%d" % (self.number % 200 + 1)
        self.number += 1
        begin = at - at % HOUR + 60
        for n in range(40):
            self.click(begin + 30 * n, ip, "ad7")
        return ip, HOUR

    def gift_card_laundering(self, at):
        user = self.fresh("u")
        for n in range(3):
            gift = self.fresh("g")
            added = (START + timedelta(seconds=at) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.gift(at + 600 * n, gift, user, "bought", card_added=added)
            self.gift(at + 600 * n + HOUR, gift, self.fresh("u"), "redeemed")
        return user, HOUR + 1200


# Rules with planted cases; those on labelled card transactions (spend_spike, large_burst) are judged by the labels.
PLANTED = ("card_testing", "test_then_hit", "declines_then_approval", "bin_attack", "expiry_enumeration", "card_velocity", "payee_sum",
           "repeat_large_at_merchant", "impossible_travel", "three_countries", "country_change_cash_out", "account_takeover", "brute_force",
           "credential_stuffing", "mfa_fatigue", "otp_bombing", "sim_swap", "contact_change_payout", "new_device_credentials", "new_device_abroad",
           "remote_access_elder", "payee_change_fraud", "disposable_signup", "shared_device", "mule_in_and_out", "micro_deposits", "fan_in",
           "fan_out_to_exchanges", "country_hop", "ticket_outlier", "merchant_bust_out", "volume_jump", "structuring", "dormant_account", "refund_abuse", "promo_abuse", "order_never_paid",
           "rapid_movement", "circular_payments", "bin_decline_ratio", "refund_ratio", "unusual_amount", "unconfirmed_foreign_card", "click_fraud", "gift_card_laundering")
LABELLED = ("spend_spike", "large_burst")
LONGEST = 10 * HOUR  # of a planted case


def make(seed=1):
    scenario = Scenario(seed)
    scenario.cards()
    scenario.habits()
    for n in range(CASES):
        for rule in PLANTED:
            # One case of each rule in each third of the time, so that a replay that is cut short has seen most rules.
            room = (SPAN_S - LONGEST) / CASES
            at = round(room * n + scenario.random.uniform(0, room), 3)
            ident, due = getattr(scenario, rule)(at)
            scenario.plant(rule, ident, at + due)
    # An event of each stream behind the end, so that event time passes all deadlines.
    for n in range(2):
        at = SPAN_S + HOUR * (n + 1)
        scenario.pay(at, "closing", 10)
        scenario.transfer(at, "closing", "out", 10, "closing")
        scenario.login(at, "closing", device_known=True, country="FR")
        scenario.change(at, "closing", "otp_verified")
        scenario.order(at, "closing", "closing", "paid")
        scenario.click(at, "closing", "closing")
        scenario.gift(at, "closing", "closing", "redeemed")
    scenario.events.sort(key=lambda e: e[0])
    return scenario


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scenario = make(options.seed)
    os.makedirs(options.folder, exist_ok=True)
    files = {stream: open(os.path.join(options.folder, stream + ".jsonl"), "w") for stream in STREAMS}
    for _, stream, event in scenario.events:
        files[stream].write(to_json(event) + "\n")
    with open(os.path.join(options.folder, "planted.json"), "w") as out:
        json.dump({"planted": scenario.planted, "frauds": scenario.frauds}, out, indent=1)
    for file in files.values():
        file.close()
    print("%d events, %d planted cases, %d labelled cards" % (len(scenario.events), len(scenario.planted), len(scenario.frauds)))


if __name__ == "__main__":
    main()
