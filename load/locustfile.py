"""The load that users of two older systems put on them, as Locust users.

    locust -f load/locustfile.py --host http://127.0.0.1:8080 CatalogueUser
    locust -f load/locustfile.py --host http://127.0.0.1:8080 ReaderUser WriterUser

Name the classes: without names all of them run. Answers that such a load has to expect (a product id
that was taken already, an order that somebody else deleted) are no failures and have names of their
own in the table.
"""

import random

from locust import HttpUser, between, task

ITEMS = ["Pen", "Notebook", "Mug", "Lamp", "Kettle", "Apron", "Candle", "Scarf", "Planter", "Tote"]
LABELS = ["processing", "shipped", "delivered", "completed"]


class CatalogueUser(HttpUser):
    """Looks at the list of products three times for each one that it makes."""

    wait_time = between(1, 2)

    @task(3)
    def look(self):
        self.client.get("/products", name="GET /products")

    @task(1)
    def make(self):
        product_id = str(random.randint(1000, 9999))
        product = {"productId": product_id, "name": f"Product {product_id}", "price": 19.99}
        with self.client.post(
            "/products", json=product, name="POST /products", catch_response=True
        ) as answer:
            if answer.status_code == 409:
                answer.request_meta["name"] = "POST /products (409: taken)"
                answer.success()


class BasketUser(HttpUser):
    """What readers and writers have in common."""

    abstract = True
    wait_time = between(0.1, 0.5)

    def newest(self):
        """The ids of the newest orders, as the list has them."""
        answer = self.client.get("/orders", name="GET /orders")
        if answer.status_code != 200:
            return []
        return [order["order_id"] for order in answer.json()["orders"][:50]]

    def expecting_404(self, method, path, name, **more):
        """Asks for an order that somebody else may have deleted meanwhile."""
        with self.client.request(method, path, name=name, catch_response=True, **more) as answer:
            if answer.status_code == 404:
                answer.request_meta["name"] = f"{name} (404: deleted)"
                answer.success()


class ReaderUser(BasketUser):
    """Nine lists for each single order."""

    weight = 90
    ids = []

    @task(9)
    def list(self):
        self.ids = self.newest()

    @task(1)
    def show(self):
        if self.ids:
            path = f"/orders/{random.choice(self.ids)}"
            self.expecting_404("GET", path, "GET /orders/:id")


class WriterUser(BasketUser):
    """Places orders, gives them words for a status, and deletes one now and then."""

    weight = 10
    own = []

    def on_start(self):
        self.own = []

    @task(6)
    def place(self):
        items = [
            {"name": random.choice(ITEMS), "quantity": random.randint(1, 5)}
            for _ in range(random.randint(1, 5))
        ]
        order = {"customer_name": f"Customer {random.randint(1, 500)}", "items": items}
        answer = self.client.post("/orders", json=order, name="POST /orders")
        if answer.status_code == 201:
            self.own.append(answer.json()["order_id"])

    @task(3)
    def label(self):
        if self.own:
            path = f"/orders/{random.choice(self.own)}/status"
            body = {"status": random.choice(LABELS)}
            self.client.patch(path, json=body, name="PATCH /orders/:id/status")

    @task(1)
    def delete(self):
        if self.own:
            order_id = self.own.pop(random.randrange(len(self.own)))
            self.client.delete(f"/orders/{order_id}", name="DELETE /orders/:id")
